// Is an answer to a request right? Independent of bodies, shapes and solvers: a sweep over time
// with the occupied bytes in a map, in the words of the request. Every layout that leaves the
// `layout` command or lowtide.layout passes it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>

#include "lowtide/model/layout_request.h"

namespace lowtide {

// The first of the buffers that each is an alias of, directly or through others.
IdVector<BufferId, BufferId> alias_classes(std::size_t num_buffers, std::span<const Tie> ties);

// What each buffer holds when, and who may share it.
struct Holdings {
  explicit Holdings(const LayoutRequest& request);

  bool are_permitted(BufferId a, BufferId b) const;

  IdVector<BufferId, std::vector<ShapePart>> parts;
  IdVector<BufferId, BufferId> alias_class;
  std::vector<std::pair<BufferId, BufferId>> may_reuse;  // sorted, each with the lesser id first
};

// Two buffers of `chosen` that hold the same byte at a time, are no aliases, and do not use a
// permission. O(n log n), times the aliases of one buffer that are alive together.
std::optional<std::pair<BufferId, BufferId>> find_overlap(const Holdings& holdings,
                                                          std::span<const BufferId> chosen,
                                                          const IdVector<BufferId, Bytes>& offsets);

// Two buffers whose fixed offsets already collide: then no layout exists.
std::optional<std::pair<BufferId, BufferId>> fixed_conflict(const LayoutRequest& request);

// What is wrong with a layout, in words; "" if nothing is: overlaps, alignment, negative or moved
// fixed offsets, ties not kept, a wrong height, a height above the capacity.
std::string request_error(const LayoutRequest& request, const Layout& layout);

}  // namespace lowtide
