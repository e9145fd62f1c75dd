// The exact solver: least height with a proof, or a proof that a capacity is too small.
//
// Time is cut where no buffer lives, and each part is narrowed on its own between what is proved
// (at first the load) and what was found:
//
//   at the bound        a layout there ends it; exhausting the search raises the bound
//   below the incumbent any layout is progress; exhausting the search proves the incumbent
//   in between          step by step with ejections (layout/search/ejection_pool); with a capacity,
//   at
//                       once, and at the load if that is a little below
//   repairs             (layout/search/repair) first where little is missing
//
// in rounds of doubling step limits. The search is not monotone: a lower capacity is often easier,
// for it prunes more, so no capacity is given up before the limits end, and a run that was stopped
// proves nothing. Only the parts that stand above what is proved of all are worth work.
//
// Anytime: starts from an incumbent, keeps the best. Deterministic under a step budget, whatever
// the number of threads. One step is one placement tried.
#pragma once

#include "lowtide/base/limits.h"
#include "lowtide/base/solution.h"
#include "lowtide/model/layout_problem.h"

namespace lowtide {

// Rounds [first, end) of the doubling: a caller may do something else in between.
struct Rounds {
  int first = 0;
  int end = 1'000'000;
};

// `incumbent`: a valid layout to improve on. With problem.capacity it stops at the first layout
// within it.
Solution<Layout> exact_layout(const LayoutProblem& problem, Layout incumbent, const Limits& limits,
                              Rounds rounds = {});

// Is the problem of a size for exact_layout? Its cost per node grows with the buffers, its memory
// with the sections they live in.
bool is_exact_size(const LayoutProblem& problem);

}  // namespace lowtide
