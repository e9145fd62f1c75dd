// From a Graph to a verified Plan: the whole of MODeL, split as the paper splits it (its section
// 4): lifetimes first, locations second.
//
//   PlanOutcome outcome = plan(graph, {.time_limit_seconds = 10});
//   outcome.plan.peak_bytes, outcome.plan.peak_lower_bound_bytes, ...
//
// options.joint: the arena is what counts, over orders and addresses at once (its equation 9); the
// peak may then be above the least one.
//
// Anytime: when time runs out, or options.cancelled is raised, the best order and layout found so
// far are returned with their bounds. Guarantees: the peak is never above program order's; the
// independent verifier has passed the plan.
#pragma once

#include "lowtide/graph/graph.h"
#include "lowtide/graph/plan.h"
#include "lowtide/planner/options.h"

namespace lowtide {

struct PlanOutcome {
  Plan plan;
  Bytes program_peak_bytes = 0;       // of the file's own order
  Bytes joint_lower_bound_bytes = 0;  // with options.joint: of the arena over all orders
  double order_seconds = 0;
  double layout_seconds = 0;
  double total_seconds = 0;  // lowering and verification included
};

// Throws InputError for bad options and for graphs whose sizes overflow when rounded up to the
// alignment.
PlanOutcome plan(const Graph& graph, const PlanOptions& options = {});

}  // namespace lowtide
