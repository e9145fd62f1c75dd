#include "lowtide/model/layout_problem.h"

#include <algorithm>
#include <vector>

namespace lowtide {

Bytes load(const LayoutProblem& problem) {
  std::vector<std::pair<Step, Bytes>> changes;
  changes.reserve(2 * problem.buffers.size());
  for (const Buffer& buffer : problem.buffers) {
    if (buffer.lifetime.empty()) continue;
    changes.emplace_back(buffer.lifetime.lower, buffer.size);
    changes.emplace_back(buffer.lifetime.upper, -buffer.size);
  }
  // At one step frees (negative) come before allocations: lifetimes are half-open.
  std::sort(changes.begin(), changes.end());
  Bytes live = 0;
  Bytes highest = 0;
  for (const auto& [step, change] : changes) {
    live += change;
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
