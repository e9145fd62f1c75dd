#include "lowtide/model/request_check.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "lowtide/model/layout_check.h"

namespace lowtide {
namespace {

using Pair = std::optional<std::pair<BufferId, BufferId>>;

// Starts and ends of parts in time order; at one step ends come first, for they are half-open.
struct Event {
  Step step;
  bool is_start;
  BufferId buffer;
  std::size_t part;
  bool operator<(const Event& other) const {
    return std::tie(step, is_start, buffer, part) <
           std::tie(other.step, other.is_start, other.buffer, other.part);
  }
};

struct Extent {
  Bytes begin;
  Bytes end;
  BufferId buffer;
  friend auto operator<=>(const Extent&, const Extent&) = default;
};

class Sweep {
 public:
  Sweep(const Holdings& holdings, const IdVector<BufferId, Bytes>& offsets)
      : holdings_(holdings), offsets_(offsets) {}

  Pair run(std::span<const BufferId> chosen) {
    for (const Event& event : events_of(chosen)) {
      const ShapePart& part = holdings_.parts[event.buffer][event.part];
      const Bytes offset = offsets_[event.buffer];
      const Extent extent{offset + part.lower, offset + part.upper, event.buffer};
      std::vector<Extent>& live = live_[holdings_.alias_class[event.buffer]];
      for (const Extent& old : merged(live)) occupied_.erase(old.begin);
      if (event.is_start)
        live.push_back(extent);
      else
        live.erase(std::find(live.begin(), live.end(), extent));
      for (const Extent& fresh : merged(live))
        if (const Pair pair = occupy(fresh)) return pair;
    }
    return std::nullopt;
  }

 private:
  std::vector<Event> events_of(std::span<const BufferId> chosen) const {
    std::vector<Event> events;
    for (BufferId b : chosen)
      for (std::size_t p = 0; p < holdings_.parts[b].size(); ++p) {
        events.push_back({holdings_.parts[b][p].lifetime.lower, true, b, p});
        events.push_back({holdings_.parts[b][p].lifetime.upper, false, b, p});
      }
    std::sort(events.begin(), events.end());
    return events;
  }

  // The union of extents, as disjoint ones.
  static std::vector<Extent> merged(std::vector<Extent> extents) {
    std::sort(extents.begin(), extents.end());
    std::vector<Extent> disjoint;
    for (const Extent& extent : extents) {
      if (!disjoint.empty() && extent.begin < disjoint.back().end)
        disjoint.back().end = std::max(disjoint.back().end, extent.end);
      else
        disjoint.push_back(extent);
    }
    return disjoint;
  }

  Pair occupy(const Extent& extent) {
    const auto above = occupied_.lower_bound(extent.begin);
    if (above != occupied_.end() && above->first < extent.end)
      return std::pair(above->second.buffer, extent.buffer);
    if (above != occupied_.begin()) {
      const Extent& below = std::prev(above)->second;
      if (below.end > extent.begin) return std::pair(below.buffer, extent.buffer);
    }
    occupied_.emplace(extent.begin, extent);
    return std::nullopt;
  }

  const Holdings& holdings_;
  const IdVector<BufferId, Bytes>& offsets_;
  std::map<BufferId, std::vector<Extent>> live_;  // by alias class
  std::map<Bytes, Extent> occupied_;              // by first byte; disjoint
};

std::string name_of(BufferId b) { return "buffer " + std::to_string(b.index()); }

std::string offset_error(const Buffer& buffer, Bytes offset) {
  if (offset < 0) return " has a negative offset";
  if (buffer.fixed_offset && offset != *buffer.fixed_offset) return " left its fixed offset";
  if (!buffer.fixed_offset && offset % buffer.alignment != 0) return " is misaligned";
  return "";
}

std::string tie_error(const LayoutRequest& request, const IdVector<BufferId, Bytes>& offsets) {
  for (const Tie& tie : request.ties) {
    const bool is_alias = tie.kind == Tie::kAlias;
    const Bytes distance = is_alias ? 0 : request.problem.buffers[tie.first].size;
    if (offsets[tie.second] - offsets[tie.first] != distance)
      return name_of(tie.first) + " and " + name_of(tie.second) +
             (is_alias ? " do not share an offset" : " are not adjacent");
  }
  return "";
}

// Of the buffers that hold anything at all.
Bytes height_of(const LayoutRequest& request, const Holdings& holdings,
                const IdVector<BufferId, Bytes>& offsets) {
  Bytes height = 0;
  for (BufferId b : offsets.ids())
    if (!holdings.parts[b].empty())
      height = std::max(height, offsets[b] + request.problem.buffers[b].size);
  return height;
}

}  // namespace

IdVector<BufferId, BufferId> alias_classes(const LayoutRequest& request) {
  IdVector<BufferId, BufferId> first_of;
  for (BufferId b : request.problem.buffers.ids()) first_of.push_back(b);
  const auto root = [&](BufferId b) {
    while (first_of[b] != b) b = first_of[b] = first_of[first_of[b]];
    return b;
  };
  for (const Tie& tie : request.ties) {
    if (tie.kind != Tie::kAlias) continue;
    const auto [a, b] = std::minmax({root(tie.first), root(tie.second)});
    first_of[b] = a;
  }
  for (BufferId b : first_of.ids()) first_of[b] = root(b);
  return first_of;
}

Pair find_overlap(const Holdings& holdings, std::span<const BufferId> chosen,
                  const IdVector<BufferId, Bytes>& offsets) {
  return Sweep(holdings, offsets).run(chosen);
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
  if (fixed.size() < 2) return std::nullopt;
  return find_overlap(Holdings(request), fixed, offsets);
}

std::string request_error(const LayoutRequest& request, const Layout& layout) {
  const LayoutProblem& problem = request.problem;
  if (request.is_plain()) return layout_error(problem, layout);
  if (layout.offsets.size() != problem.buffers.size()) return "not every buffer has an offset";
  std::vector<BufferId> all;
  for (BufferId b : problem.buffers.ids()) {
    all.push_back(b);
    if (std::string error = offset_error(problem.buffers[b], layout.offsets[b]); !error.empty())
      return name_of(b) + error;
  }
  if (std::string error = tie_error(request, layout.offsets); !error.empty()) return error;
  const Holdings holdings(request);
  if (const Pair pair = find_overlap(holdings, all, layout.offsets))
    return name_of(pair->first) + " and " + name_of(pair->second) + " overlap";
  if (layout.height != height_of(request, holdings, layout.offsets))
    return "the height is not the highest end";
  if (problem.capacity && layout.height > *problem.capacity)
    return "the height exceeds the capacity";
  return "";
}

}  // namespace lowtide
