// The exact order: a bound, an incumbent, and searches that close the gap between them.
//
//   1  the best simple order, and the exact node bound 5(b): they meet on most graphs
//   2  contraction: the same optimum on a fraction of the nodes
//   3  with rising effort: an order at the bound? an order half-way (bisection, for the incumbent)?
//      none below the incumbent (one refutation is the proof)?
// Each question goes to `fits`: budget searches from both ends in turn, each on what the permanent
// commits of the others have left; if they are stuck, divide at the bottleneck: the node with the
// largest bound, run right after the minimiser of its cut. A division that fails proves nothing.
//
// Anytime: value, bound and status hold whenever it stops. Deterministic under a step budget.
// Problems with in-place reuse get steps 1 only: the rules are proved for step costs that do not
// depend on the state.
#pragma once

#include "lowtide/base/limits.h"
#include "lowtide/base/solution.h"
#include "lowtide/model/order_problem.h"
#include "lowtide/order/techniques.h"

namespace lowtide {

// Improves `start` (a legal order, its peak, a bound) until it is proven or the limits are reached.
Solution<Schedule> exact_order(const OrderProblem& problem, Solution<Schedule> start,
                               const Limits& limits, const Techniques& use = {});

}  // namespace lowtide
