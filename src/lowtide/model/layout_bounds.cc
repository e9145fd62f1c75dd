#include "lowtide/model/layout_bounds.h"

#include <algorithm>

#include "lowtide/model/lifetime_events.h"

namespace lowtide {

Bytes load(const LayoutProblem& problem) {
  Bytes live = 0;
  Bytes highest = 0;
  for (const auto& [buffer, is_start] : lifetime_events(problem)) {
    const Bytes size = problem.buffers[buffer].size;
    live += is_start ? size : -size;
    highest = std::max(highest, live);
  }
  return highest;
}

Bytes lower_bound(const LayoutProblem& problem) {
  Bytes bound = load(problem);
  for (const Buffer& buffer : problem.buffers)
    if (buffer.fixed_offset && buffer.takes_room())
      bound = std::max(bound, *buffer.fixed_offset + buffer.size);
  return bound;
}

Bytes height_of(const LayoutProblem& problem, const IdVector<BufferId, Bytes>& offsets) {
  Bytes height = 0;
  for (BufferId b : problem.buffers.ids())
    if (problem.buffers[b].takes_room())
      height = std::max(height, offsets[b] + problem.buffers[b].size);
  return height;
}

}  // namespace lowtide
