#include "lowtide/cli/plans.h"

#include "lowtide/base/text.h"
#include "lowtide/cli/interrupts.h"
#include "lowtide/cli/progress_line.h"
#include "lowtide/cli/terminal.h"
#include "lowtide/planner/planner.h"
#include "lowtide/report/bound_reason.h"
#include "lowtide/report/claims.h"
#include "lowtide/verify/verifier.h"

namespace lowtide::cli {

Plan make_plan(const Graph& graph, PlanOptions options) {
  ProgressLine progress;
  options.progress = &progress;
  const Interruptible interruptible;
  options.cancelled = interruptible.flag();
  return plan(graph, options).plan;
}

Plan load_plan_to_show(const std::string& path, const Graph& graph, const Reading& reading) {
  Plan plan = load_verified_plan(path, graph, reading);
  prove_claims(graph, Limits::within_steps(kExplanationSteps), &plan);
  return plan;
}

bool print_violations(const Graph& graph, const LoadedPlan& loaded) {
  const auto violations = verify(graph, loaded.plan);
  for (const std::string& mismatch : loaded.mismatches)
    print("mismatch: %s\n", escaped(mismatch).c_str());
  for (const Violation& violation : violations)
    print("%s: %s\n", to_string(violation.kind), escaped(violation.text).c_str());
  return !loaded.mismatches.empty() || !violations.empty();
}

}  // namespace lowtide::cli
