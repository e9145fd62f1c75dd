// The planner's first phase: rewrite the graph, order the nodes of what comes out, bring the order
// back.
//
// A bound that a pass does not keep is proved anew, by node cuts of the graph itself. If the way
// back cost memory (nodes left out and put back), the graph itself is solved as well, in the time
// and steps that are left.
#pragma once

#include "lowtide/base/limits.h"
#include "lowtide/base/solution.h"
#include "lowtide/graph/graph.h"
#include "lowtide/graph/plan.h"
#include "lowtide/model/order_problem.h"
#include "lowtide/planner/options.h"

namespace lowtide {

// `problem`: the graph, lowered; `program_peak`: its peak in program order. The answer is never
// worse than that.
Solution<Schedule> solve_order(const Graph& graph, const OrderProblem& problem, Bytes program_peak,
                               const PlanOptions& options, const Limits& limits);

}  // namespace lowtide
