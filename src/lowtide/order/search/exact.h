// The exact order: a bound, an incumbent, and searches that close the gap between them.
//
//   1  the best simple order, and the exact node bound 5(b): they meet on most graphs
//   2  contraction: the same optimum on a fraction of the nodes
//   3  a short search at the bound; then a better incumbent by following it from both ends, and
//      greedy at several budgets
//   4  with rising effort: an order at the bound? where the gap is wide, windows of the best order
//      solved anew (order/search/windows.h)? an order half-way (bisection, for the incumbent)?
//      none below the incumbent (one refutation is the proof)? none far below it (for the bound)?
// What `fits` cannot refute is asked of one order of each kind (order/search/symmetry.h) within
// what the budget implies (order/search/propagate.h), at last by branching on pairs
// (order/search/branch.h). Each question goes to `fits`: budget searches from both ends in turn,
// each on what the permanent commits of the others have left; if they are stuck, divide at the
// bottleneck: the node with the largest bound, run right after the minimiser of its cut. A division
// that fails proves nothing.
//
// Anytime: value, bound and status hold whenever it stops. Under a step budget the answer is a
// function of the problem, whatever the number of threads (base/parallel.h): simple orders, halves
// of a division and the nodes that propagation asks have their shares of the steps beforehand.
//
// In-place reuse: each rule's header says what of it holds for costs that depend on the state, and
// the rest is switched off there: nothing is searched from the end, and contraction leaves the
// nodes of pairs alone that take effect in some orders only.
#pragma once

#include "lowtide/base/limits.h"
#include "lowtide/base/solution.h"
#include "lowtide/model/order_problem.h"
#include "lowtide/order/search/techniques.h"

namespace lowtide {

// Improves `start` (a legal order, its peak, a bound) until it is proven or the limits are reached.
Solution<Schedule> exact_order(const OrderProblem& problem, Solution<Schedule> start,
                               const Limits& limits, const Techniques& use = {});

}  // namespace lowtide
