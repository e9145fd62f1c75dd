// The skyline dive: always place the buffer that can go lowest, on top of what is there.
//
//   plateau   a maximal stretch of sections of one height, kept on a heap by height
//   dive      on the lowest plateau goes the first buffer, in the order given, that lies within it
//             (layout/greedy/nested): its neighbours are higher, so nothing else can go as low. If
//             there is none, the plateau is raised to its lower neighbour: what is below is lost
//
// Guarantee: none, but it meets the load on most captured graphs; an order decides ties. Cost: a
// placement makes at most two plateaus and a raise ends at least one, so O(n) steps of one query
// each, whatever the instance: lifetimes nested 10^5 deep take as long as any others. A heap of
// buffers by lowest offset, recomputed when they surface, gives the same layouts and is quadratic
// there. Idea: the canonical bottom-up dive of MiniMalloc (Moffitt, ASPLOS 2023); plateaus as in
// strip packing (Burke, Kendall, Whitwell 2004).
#pragma once

#include <vector>

#include "lowtide/base/limits.h"
#include "lowtide/layout/sections.h"
#include "lowtide/model/layout_problem.h"

namespace lowtide {

// `order`: every buffer once; among buffers that can go equally low, the earlier one is placed
// first. False, with *layout unusable, if the meter stopped it or the layout would not be lower
// than `below`. Buffers with a fixed offset are not supported.
bool skyline_layout(const LayoutProblem& problem, const Sections& sections,
                    const std::vector<BufferId>& order, Bytes below, Meter* meter, Layout* layout);

}  // namespace lowtide
