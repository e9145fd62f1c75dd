// The pyramid: MODeL's pre-placement (its section 4.2) as an order of buffers.
//
// Stack the longest-lived buffer at the base of the arena, on it the longest-lived one whose
// lifetime is nested in that one's, and so on: in a training step the first activations are made
// first and freed last, so one pyramid holds most of what is live at the peak, without a gap.
//
//     offset      .  +--+
//                 . +----+          lifetimes nest, every level lies on the one below
//                 +-----------+
//                -------------------> time
//
// The paper leaves the rest to its integer program; here it follows by size, each buffer where it
// fits lowest. No guarantee: the best layout with a pyramid at its base may be above the best one.
// O(n log n) for the order, which the fit that follows exceeds.
//
// Of 108 captured graphs, in program order and in good orders, layouts at the load: 51 and 70 as
// above; 40 and 53 with the rest by area, 25 and 23 by lifetime; 27 and 26 with pyramid after
// pyramid until no buffer is left.
#pragma once

#include <vector>

#include "lowtide/layout/sections.h"
#include "lowtide/model/layout_problem.h"

namespace lowtide {

// From its base up. Buffers of no room or a fixed offset are not in it.
std::vector<BufferId> base_pyramid(const LayoutProblem& problem);

// All buffers: the pyramid, then the rest.
std::vector<BufferId> pyramid_order(const LayoutProblem& problem);

}  // namespace lowtide
