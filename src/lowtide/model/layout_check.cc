#include "lowtide/model/layout_check.h"

#include <algorithm>
#include <map>

#include "lowtide/model/lifetime_events.h"

namespace lowtide {
namespace {

using Pair = std::optional<std::pair<BufferId, BufferId>>;

template <class Chosen, class Offset>
Pair sweep(const LayoutProblem& problem, const Chosen& is_chosen, const Offset& offset_of) {
  std::map<Bytes, BufferId> occupied;  // by first byte; disjoint
  for (const LifetimeEvent& event : lifetime_events(problem)) {
    if (!is_chosen(event.buffer)) continue;
    const Bytes offset = offset_of(event.buffer);
    if (!event.is_start) {
      occupied.erase(offset);
      continue;
    }
    const auto above = occupied.lower_bound(offset);
    if (above != occupied.end() && above->first < offset + problem.buffers[event.buffer].size)
      return std::make_pair(above->second, event.buffer);
    if (above != occupied.begin()) {
      const auto& [start, below] = *std::prev(above);
      if (start + problem.buffers[below].size > offset) return std::make_pair(below, event.buffer);
    }
    occupied.emplace(offset, event.buffer);
  }
  return std::nullopt;
}

}  // namespace

Pair find_overlap(const LayoutProblem& problem, const IdVector<BufferId, Bytes>& offsets) {
  return sweep(
      problem, [](BufferId) { return true; }, [&](BufferId b) { return offsets[b]; });
}

Pair fixed_conflict(const LayoutProblem& problem) {
  const auto has_offset = [](const Buffer& buffer) { return buffer.fixed_offset.has_value(); };
  if (std::none_of(problem.buffers.begin(), problem.buffers.end(), has_offset)) return std::nullopt;
  return sweep(
      problem, [&](BufferId b) { return has_offset(problem.buffers[b]); },
      [&](BufferId b) { return *problem.buffers[b].fixed_offset; });
}

std::string layout_error(const LayoutProblem& problem, const Layout& layout) {
  if (layout.offsets.size() != problem.buffers.size()) return "not every buffer has an offset";
  const auto name = [](BufferId b) { return "buffer " + std::to_string(b.index()); };
  for (BufferId b : problem.buffers.ids()) {
    const Bytes offset = layout.offsets[b];
    const Buffer& buffer = problem.buffers[b];
    if (offset < 0) return name(b) + " has a negative offset";
    if (buffer.fixed_offset && offset != *buffer.fixed_offset)
      return name(b) + " left its fixed offset";
    if (!buffer.fixed_offset && offset % buffer.alignment != 0) return name(b) + " is misaligned";
  }
  if (const auto pair = find_overlap(problem, layout.offsets))
    return name(pair->first) + " and " + name(pair->second) + " overlap";
  if (layout.height != height_of(problem, layout.offsets))
    return "the height is not the highest end";
  if (problem.capacity && layout.height > *problem.capacity)
    return "the height exceeds the capacity";
  return "";
}

}  // namespace lowtide
