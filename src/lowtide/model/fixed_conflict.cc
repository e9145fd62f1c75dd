#include "lowtide/model/fixed_conflict.h"

#include <algorithm>
#include <map>

#include "lowtide/model/holdings.h"
#include "lowtide/model/lifetime_events.h"

namespace lowtide {
namespace {

using Pair = std::optional<std::pair<BufferId, BufferId>>;

// Of the buffers with a fixed offset; a walk through time.
Pair first_overlap(const LayoutProblem& problem) {
  std::map<Bytes, BufferId> occupied;  // by first byte; disjoint
  for (const auto& [b, is_start] : lifetime_events(problem)) {
    const auto& [lifetime, size, alignment, offset] = problem.buffers[b];
    if (!offset) continue;
    if (!is_start) {
      occupied.erase(*offset);
      continue;
    }
    const auto above = occupied.lower_bound(*offset);
    if (above != occupied.end() && above->first < *offset + size)
      return std::make_pair(above->second, b);
    if (above != occupied.begin()) {
      const auto& [start, below] = *std::prev(above);
      if (start + problem.buffers[below].size > *offset) return std::make_pair(below, b);
    }
    occupied.emplace(*offset, b);
  }
  return std::nullopt;
}

}  // namespace

Pair fixed_conflict(const LayoutProblem& problem) {
  const bool has_any =
      std::any_of(problem.buffers.begin(), problem.buffers.end(),
                  [](const Buffer& buffer) { return buffer.fixed_offset.has_value(); });
  return has_any ? first_overlap(problem) : std::nullopt;
}

Pair fixed_conflict(const LayoutRequest& request) {
  if (request.is_plain()) return fixed_conflict(request.problem);
  std::vector<BufferId> fixed;
  IdVector<BufferId, Bytes> offsets(request.problem.buffers.size());
  for (BufferId b : request.problem.buffers.ids()) {
    const auto offset = request.problem.buffers[b].fixed_offset;
    offsets[b] = offset.value_or(0);
    if (offset) fixed.push_back(b);
  }
  return find_overlap(Holdings(request), fixed, offsets);
}

}  // namespace lowtide
