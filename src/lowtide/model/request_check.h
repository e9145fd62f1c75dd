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
IdVector<BufferId, BufferId> alias_classes(const LayoutRequest& request);

// What each buffer holds when, and who may share it.
struct Holdings {
  explicit Holdings(const LayoutRequest& request)
      : parts(parts_of(request)), alias_class(alias_classes(request)) {}

  IdVector<BufferId, std::vector<ShapePart>> parts;
  IdVector<BufferId, BufferId> alias_class;
};

// Two buffers of `chosen` that hold the same byte at a time and are no aliases. O(n log n), times
// the aliases of one buffer that are alive together.
std::optional<std::pair<BufferId, BufferId>> find_overlap(const Holdings& holdings,
                                                          std::span<const BufferId> chosen,
                                                          const IdVector<BufferId, Bytes>& offsets);

// Two buffers whose fixed offsets already collide: then no layout exists.
std::optional<std::pair<BufferId, BufferId>> fixed_conflict(const LayoutRequest& request);

// What is wrong with a layout, in words; "" if nothing is: overlaps, alignment, negative or moved
// fixed offsets, ties not kept, a wrong height, a height above the capacity.
std::string request_error(const LayoutRequest& request, const Layout& layout);

}  // namespace lowtide
