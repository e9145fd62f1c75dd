// What buffers of a request hold when, and who may share it.
#pragma once

#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "lowtide/model/layout_request.h"

namespace lowtide {

// By buffer and time, clipped to the buffers' lifetimes, without those that nothing is left of.
std::vector<Gap> clipped_gaps(const LayoutRequest& request);

// Bytes held in a stretch of time, relative to an offset.
struct ShapePart {
  Interval lifetime;
  Bytes lower;
  Bytes upper;
};

// What each buffer holds, in order of time: one part without gaps, none if it takes no room. O(n +
// g log g).
IdVector<BufferId, std::vector<ShapePart>> parts_of(const LayoutRequest& request);

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

}  // namespace lowtide
