// A layout is pressed below a ceiling: what sticks out goes elsewhere, at the cost of others.
//
// Problem. Dives, fits and tiers decide once where a buffer goes. Among 10^5 buffers of which some
// hundred live at once, each leaves 0.5 to 4 % free somewhere, and the worst place of all counts.
//
// Idea. Only a few stretches of time are nearly as full as the fullest; the rest is fine. So take
// out the buffers that end above a ceiling and put them back, one by one: into the tightest gap, or
// where the buffers that are in the way are cheapest to move, which are taken out in turn (ejection
// chains). The hardest is put back first.
//   price    its bytes times the heat of the sections it lives in, which grows with the third power
//            of their load as it gets close to the ceiling: a buffer that touches the fullest
//            sections is hard to place, any other is easy. Each time it is taken out its price
//            goes up by as much, so that the same few do not push each other around forever
//   ceiling  half way from the height to the load; after a failure a quarter, and so on, each from
//            the best layout so far
//
// Guarantee: never worse than what it starts from. Cost: each move looks at the neighbours in time;
// how many moves there are depends on how much is asked.
//
// The heat is what makes it work: excess within 4 s over what a dive leaves, on four instances of
// 10^5 buffers, with price = bytes times lifetime 0.91, 1.56, 0.58, 0.43 %; with the heat to the
// third power 0.04, 1.36, 0.04, 0.14 %; second power 0.46, 1.46, 0.59, 0.57 %. Fourth to sixth
// power and other constants in it make no difference; prices that never grow cycle and reach
// nothing.
#pragma once

#include "lowtide/base/limits.h"
#include "lowtide/model/layout_problem.h"

namespace lowtide {

// `layout`, or a lower one; stops at `good_enough`. Does nothing where offsets are fixed.
Layout squeezed(const LayoutProblem& problem, Layout layout, Bytes good_enough,
                const Limits& limits);

// As above, with little effort, and no more than to within 2 % of `good_enough`.
Layout squeezed_near(const LayoutProblem& problem, Layout layout, Bytes good_enough,
                     const Limits& limits);

}  // namespace lowtide
