// The order by integer programming: a second opinion on the exact search, from another world.
//
//   1  contraction (order/search/contract.h), which keeps the optimum
//   2  division in time: a node that is ordered with all others is a cut; between two cuts the
//   nodes
//      are a problem of their own, and the peak is the largest of theirs
//   3  for each piece, the highest first, the program of order/program/pair_program.h as a
//   question: is
//      there an order within B? One unit below the best order first, then half-way to the bound
//      5(b), with rising effort
//
// A question instead of a minimum: a bound on the peak lets presolve fix most pairs, and "no" at
// one unit below is the proof. Minimising leaves vit_b_16 (260 nodes) open in 20 s; the question is
// answered in 0.4 s. `no` also holds from the program without all of its rows `cycle`; a point that
// violates some is repaired to an order, or these rows are added and the question asked again.
//
// Floating point. HiGHS accepts a row that is violated within its tolerance, so a point may stand
// for an order above B: that answers nothing. `No` errs on the other side.
#pragma once

#include "lowtide/base/limits.h"
#include "lowtide/base/solution.h"
#include "lowtide/model/order_problem.h"

namespace lowtide {

// Improves `start`, a legal order, and keeps to it where a piece is too large. The bound is HiGHS's
// alone: what lowtide's own bounds say only guides the questions. Requires mip::is_available().
Solution<Schedule> ilp_order(const OrderProblem& problem, Schedule start, const Limits& limits);

}  // namespace lowtide
