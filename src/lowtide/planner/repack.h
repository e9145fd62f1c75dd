// Among orders within the same budget, one that packs: the planner's cheap way to what the paper's
// equation 9 finds by choosing order and addresses at once.
//
// Splitting the problem (the paper's section 4) takes any order of least peak and lays it out.
// Other orders have other lifetimes, and some of them a lower layout. Graphs of one tensor a node
// where it matters begin at seven nodes (tests/cpp/repack_test.cc has them); of 7.1 million random
// graphs of five to eight nodes 27 had a first optimal order that left a gap, and 22 of these
// another one that left none. It can also be that no order of least peak packs, and one of a higher
// peak is the better plan: so the budget is the caller's.
//
// A walk from order to order: a few nodes move to other steps between their last predecessor and
// first successor. The new order stays if it keeps the budget and its layout is no higher; moves
// that change nothing take the walk across plateaus. It ends at the first layout of at most
// `arena`.
//
// Guarantee: what is returned is legal, keeps the budget, and its arena is lower than the one that
// came in. Deterministic for a seed and a step budget. A trial costs O(n) for the peak and, if that
// is kept, one layout within a few steps.
//
// On 1657 random orders of seven nodes that do not pack, the walk reaches the optimum of brute
// force (all orders, exact layouts) 1656 times. With single moves 1597; with single moves and every
// other trial allowed to rise to where the walk began 1629: what holds it is not height but the
// budget.
#pragma once

#include <optional>

#include "lowtide/base/limits.h"
#include "lowtide/base/solution.h"
#include "lowtide/layout/solvers.h"
#include "lowtide/model/lower.h"
#include "lowtide/model/order_problem.h"

namespace lowtide {

struct Packing {
  Schedule schedule;
  LoweredLayout placing;
  Solution<Layout> layout;
};

// The schedule with a layout of it.
Packing pack(const OrderProblem& problem, Schedule schedule, Bytes alignment,
             const LayoutSolver& solver, const Limits& limits);

struct RepackGoal {
  Bytes budget;  // no order of a higher peak
  Bytes arena;   // low enough: stop here
  Bytes alignment;
};

// nullopt: no better one was found.
std::optional<Packing> repack(const OrderProblem& problem, const Packing& start,
                              const RepackGoal& goal, const Limits& limits);

}  // namespace lowtide
