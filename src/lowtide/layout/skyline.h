// The skyline dive: always place the buffer that can go lowest, on top of what is there.
//
//   height per section, a segment tree with range maximum and range assignment;
//   a heap of buffers by the lowest offset they could have (their range's maximum, aligned).
//   Skylines only rise, so a stale entry is too low: recompute when it surfaces, push it back or
//   place it.
//
// Guarantee: none, but it meets the load on most captured graphs; an order decides ties. Cost:
// O(k log n) with k the entries that surface, a few per buffer in practice: 60 000 buffers in well
// under a second. Idea: the canonical bottom-up dive of MiniMalloc (Moffitt, ASPLOS 2023), on a
// heap.
#pragma once

#include <vector>

#include "lowtide/base/limits.h"
#include "lowtide/layout/sections.h"
#include "lowtide/model/layout_problem.h"

namespace lowtide {

// `order`: every buffer once; among buffers that can go equally low, the earlier one is placed
// first. False, with *layout unusable, if the meter stopped it. Buffers with a fixed offset are not
// supported.
bool skyline_layout(const LayoutProblem& problem, const Sections& sections,
                    const std::vector<BufferId>& order, Meter* meter, Layout* layout);

}  // namespace lowtide
