// The heuristics with their orders filled in, as functions from a problem to a layout; what may be
// claimed of that layout is judged() (see fit.h and skyline.h for how they place).
#pragma once

#include "lowtide/base/limits.h"
#include "lowtide/base/solution.h"
#include "lowtide/layout/greedy/fit.h"
#include "lowtide/layout/greedy/orders.h"
#include "lowtide/model/layout_problem.h"

namespace lowtide {

bool has_fixed_offsets(const LayoutProblem& problem);

// Every buffer on top of the ones before it: what is left when even one pass is too long.
Layout stacked(const LayoutProblem& problem);

// By the keys in turn, each buffer where it fits.
Layout fit_by_keys(const LayoutProblem& problem, const std::vector<BufferKey>& keys, Fit fit,
                   const Limits& limits);

// The lowest skyline of several orders, until one is good enough or the time is up; never worse
// than stream_fit, which always runs.
Layout best_skyline(const LayoutProblem& problem, const Limits& limits);
// As above, from a layout that is there. Does nothing where offsets are fixed.
Layout improved_by_skylines(const LayoutProblem& problem, Layout layout, const Limits& limits);

// The best of `layout` and of all fits in turn, until one is good enough or the time is up.
Layout improved_by_fits(const LayoutProblem& problem, Layout layout, const Limits& limits);

// At most the capacity, or at the lower bound: no heuristic need look further.
bool is_good_enough(const LayoutProblem& problem, const Layout& layout);

// What may be claimed of a layout that no search stands behind: it is an answer if it keeps the
// capacity; infeasible only where the load alone exceeds it or fixed offsets collide.
Solution<Layout> judged(const LayoutProblem& problem, Layout layout, const Limits& limits);
// As above, with the lower bound of the problem, which takes a while of a million buffers.
Solution<Layout> judged(const LayoutProblem& problem, Layout layout, Bytes bound,
                        const Limits& limits);

}  // namespace lowtide
