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

LoweredOrder lowered(const Graph& graph, const Plan& plan) {
  return lower_order(graph, !plan.reuses.empty());
}

}  // namespace

Bytes proved_peak_bound(const Graph& graph, const Plan& plan, const Limits& limits) {
  if (!plan.peak_bound_is_claim) return plan.peak_lower_bound_bytes;
  const OrderProblem problem = lowered(graph, plan).problem;
  Meter meter(limits);
  const Bytes forced = reachability_bound(problem, plan.schedule, &meter);
  if (forced >= plan.peak_bytes) return forced;
  return std::max(forced, node_bound(problem, plan.schedule, &meter));
}

Bytes proved_arena_bound(const Graph& graph, const Plan& plan) {
  if (!plan.arena_bound_is_claim) return plan.arena_lower_bound_bytes;
  const OrderProblem problem = lowered(graph, plan).problem;
  // An arena may end with the last tensor's bytes or with its rounded size; only the latter is
  // bounded by rounded sizes.
  const bool is_rounded = plan.arena_bytes % plan.alignment == 0;
  const Bytes unit = is_rounded && sizes_fit(problem, plan.alignment) ? plan.alignment : 1;
  return arena_load(problem, plan.schedule, unit);
}

void prove_claims(const Graph& graph, const Limits& limits, Plan* plan) {
  if (plan->peak_bound_is_claim)
    plan->peak_bound_is_claim =
        proved_peak_bound(graph, *plan, limits) < plan->peak_lower_bound_bytes;
  if (plan->arena_bound_is_claim)
    plan->arena_bound_is_claim = proved_arena_bound(graph, *plan) < plan->arena_lower_bound_bytes;
}

const char* claim_note(bool is_claim) { return is_claim ? " (claimed by the file)" : ""; }

}  // namespace lowtide
