// Is a layout right? Independent of the layout solvers: a sweep over time with the occupied bytes
// in a map. Every layout that leaves lowtide without a graph (the `layout` command, lowtide.layout)
// passes it.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "lowtide/model/layout_problem.h"

namespace lowtide {

// Two buffers that are alive together and share a byte. O(n log n).
std::optional<std::pair<BufferId, BufferId>> find_overlap(const LayoutProblem& problem,
                                                          const IdVector<BufferId, Bytes>& offsets);

// Two buffers whose fixed offsets already collide: then no layout exists.
std::optional<std::pair<BufferId, BufferId>> fixed_conflict(const LayoutProblem& problem);

// What is wrong with a layout, in words; "" if nothing is: overlaps, alignment, negative or moved
// fixed offsets, a wrong height, a height above the capacity.
std::string layout_error(const LayoutProblem& problem, const Layout& layout);

}  // namespace lowtide
