// Layouts of shapes, and of whole requests.
//
// Shapes: time is cut where nothing is alive. A stretch of rectangles goes to the solvers for
// rectangles. The others get heuristics (layout/shapes/shape_fit, order_search, shape_dive); then
// what rectangles can say (all parts on their own: a lower bound, often a proof); then the exact
// search over pairs (layout/shapes/pair_search) at the bound and below the best, in rounds of
// doubling limits. Exact on a dozen shapes or where a bound is met; beyond that an answer and a
// bound.
#pragma once

#include "lowtide/base/limits.h"
#include "lowtide/base/solution.h"
#include "lowtide/layout/solvers.h"
#include "lowtide/model/shape_problem.h"

namespace lowtide {

// `hints`: offsets worth trying, -1 where there is none. Only heuristics unless solver.exact. As
// LayoutSolver::solve in what it answers, with and without a capacity.
Solution<Layout> solve_shapes(const ShapeProblem& problem, const IdVector<BufferId, Bytes>& hints,
                              const LayoutSolver& solver, const Limits& limits);

// Offsets of the request's buffers, by way of model/bodies (and of layout/shapes/sharing where
// buffers may reuse each other). Plain requests go to `solver` as they are. Requires that the
// request has no fault.
Solution<Layout> solve_request(const LayoutRequest& request, const LayoutSolver& solver,
                               const Limits& limits);

// The same for whoever may be interrupted: a search that was cancelled may have stopped before it
// had a decent layout, so a quarter of a second for a simple one follows.
Solution<Layout> solve_interruptibly(const LayoutRequest& request, const LayoutSolver& solver,
                                     const Limits& limits);

}  // namespace lowtide
