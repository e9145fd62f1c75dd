// Long lifetimes first, from the fullest step outwards; shorter ones, tier by tier, into the gaps.
//
// Problem. Among 10^5 buffers of any lifetime a dive, or a walk through time as an allocator sees
// it, leaves 1 to 3 % free at the fullest steps; trying every buffer everywhere is too slow.
//
// Idea. What counts is the fullest step and what surrounds it. So the long-lived buffers that live
// in it are stacked without a gap, and the other long-lived ones follow in two walks, forwards and
// backwards from there: bytes are lost only as the steps get emptier. Then come tiers of a third of
// the lifetime each, two walks each, in which a buffer takes the tightest gap that stays free of
// those placed before for as long as it lives: what the long ones had to leave free is filled by
// short ones, of which there are many where lifetimes are spread.
//
// Sorted by their ends the stack is one on which nothing is lost going forwards; sorted by the time
// to the nearer end it loses less going backwards. No variant is the best everywhere. The share of
// the load left free on instances of any lifetime (bench/buffers.py random), in the order of
// kTierings: 0.38, 0.48, 0.41 % and 0.61, 0.43, 0.90 % of two with 10^5 buffers; 2.5, 1.6, 0.78,
// 0.34, 0.27 % of one with 10^6. So the first ones come first where buffers are few, and last where
// they are many.
//
// Guarantee: none. Cost: O(n log n) and, for each buffer, a look at those of longer tiers that
// start while it lives.
#pragma once

#include <array>

#include "lowtide/base/limits.h"
#include "lowtide/model/layout_problem.h"

namespace lowtide {

struct Tiering {
  enum class Stack { kByEnd, kByNearerEnd };  // the farthest at the bottom
  Stack stack;
  double first_tier;  // the least lifetime in it, of the longest
};

inline constexpr std::array kTierings = {
    Tiering{Tiering::Stack::kByEnd, 0.1},         Tiering{Tiering::Stack::kByEnd, 0.06},
    Tiering{Tiering::Stack::kByNearerEnd, 0.03},  Tiering{Tiering::Stack::kByNearerEnd, 0.003},
    Tiering{Tiering::Stack::kByNearerEnd, 0.001},
};

// False, with *layout unusable, if the meter stopped it. Buffers with a fixed offset are not
// supported.
bool tiered_layout(const LayoutProblem& problem, const Tiering& tiering, Meter* meter,
                   Layout* layout);

}  // namespace lowtide
