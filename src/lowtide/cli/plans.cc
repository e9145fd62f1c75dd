#include "lowtide/cli/plans.h"

#include "lowtide/cli/progress_line.h"
#include "lowtide/graph/error.h"
#include "lowtide/io/plan_json.h"
#include "lowtide/planner/planner.h"
#include "lowtide/verify/verifier.h"

namespace lowtide::cli {

Plan load_verified_plan(const std::string& path, const Graph& graph) {
  Plan plan = load_matching_plan(path, graph);
  const auto violations = verify(graph, plan, 1);
  if (!violations.empty()) throw InputError(path, "does not verify: " + violations.front().text);
  return plan;
}

Plan make_plan(const Graph& graph, PlanOptions options) {
  ProgressLine progress;
  options.progress = &progress;
  return plan(graph, options).plan;
}

}  // namespace lowtide::cli
