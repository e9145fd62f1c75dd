// Skyline dives in a row, each in an order that learned from the last.
//
// A dive wastes bytes where it raises a plateau, and what counts is the fullest section: its load
// and what was wasted in it. So buffers come in order of the fullest section they live in
// (breadth), and after a dive each section counts for as much as it came to be full, waste
// included, averaged over the dives: the sections that end highest are served earlier the next time
// (squeaky wheel optimisation, Joslin and Clements 1999). Ties, which are many, go by lifetime and
// by area in turn; every other pair of dives keeps the plain breadth and puts noise on these
// instead.
//
// Guarantee: never worse than what it starts from. Cost: a dive and two sorts a round; a
// millisecond for 1 400 buffers, 0.25 s for 10^5.
#pragma once

#include "lowtide/base/limits.h"
#include "lowtide/model/layout_problem.h"

namespace lowtide {

// The best of `layout` and of at most `rounds` dives; stops at `good_enough`. Does nothing where
// offsets are fixed.
Layout improved_by_dives(const LayoutProblem& problem, Layout layout, Bytes good_enough, int rounds,
                         const Limits& limits);

}  // namespace lowtide
