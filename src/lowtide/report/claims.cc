#include "lowtide/report/claims.h"

#include <algorithm>

#include "lowtide/analysis/lower_bounds.h"
#include "lowtide/model/lower.h"

namespace lowtide {
namespace {

bool sizes_fit(const OrderProblem& problem, Bytes alignment) {
  Bytes sum = 0;
  Bytes size = 0;
  return std::all_of(problem.bytes.begin(), problem.bytes.end(), [&](Bytes bytes) {
    return align_up_fits(bytes, alignment, &size) && add_fits(sum, size, &sum);
  });
}

OrderProblem problem_of(const Graph& graph, const Plan& plan) {
  return lower_order(graph, !plan.reuses.empty()).problem;
}

Bytes peak_bound(const OrderProblem& problem, const Plan& plan, const Limits& limits) {
  Meter meter(limits);
  const Bytes forced = reachability_bound(problem, plan.schedule, &meter);
  if (forced >= plan.peak_bytes) return forced;
  return std::max(forced, node_bound(problem, plan.schedule, &meter));
}

Bytes arena_bound(const OrderProblem& problem, const Plan& plan) {
  // An arena may end with the last tensor's bytes or with its rounded size; only the latter is
  // bounded by rounded sizes.
  const bool is_rounded = plan.arena_bytes % plan.alignment == 0;
  const Bytes unit = is_rounded && sizes_fit(problem, plan.alignment) ? plan.alignment : 1;
  return arena_load(problem, plan.schedule, unit);
}

}  // namespace

Bytes proved_peak_bound(const Graph& graph, const Plan& plan, const Limits& limits) {
  return plan.peak_bound_is_claim ? peak_bound(problem_of(graph, plan), plan, limits)
                                  : plan.peak_lower_bound_bytes;
}

Bytes proved_arena_bound(const Graph& graph, const Plan& plan) {
  return plan.arena_bound_is_claim ? arena_bound(problem_of(graph, plan), plan)
                                   : plan.arena_lower_bound_bytes;
}

void prove_claims(const Graph& graph, const Limits& limits, Plan* plan) {
  if (!plan->peak_bound_is_claim && !plan->arena_bound_is_claim) return;
  const OrderProblem problem = problem_of(graph, *plan);
  if (plan->peak_bound_is_claim)
    plan->peak_bound_is_claim = peak_bound(problem, *plan, limits) < plan->peak_lower_bound_bytes;
  if (plan->arena_bound_is_claim)
    plan->arena_bound_is_claim = arena_bound(problem, *plan) < plan->arena_lower_bound_bytes;
}

const char* claim_note(bool is_claim) { return is_claim ? " (claimed by the file)" : ""; }

}  // namespace lowtide
