#include "lowtide/model/holdings.h"

#include <algorithm>
#include <map>
#include <tuple>

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

using Classes = IdVector<BufferId, BufferId>;

BufferId root_of(Classes* classes, BufferId b) {
  while ((*classes)[b] != b) b = (*classes)[b] = (*classes)[(*classes)[b]];
  return b;
}

void unite(Classes* classes, BufferId a, BufferId b) {
  const auto [low, high] = std::minmax({root_of(classes, a), root_of(classes, b)});
  (*classes)[high] = low;
}

void flatten(Classes* classes) {
  for (BufferId b : classes->ids()) (*classes)[b] = root_of(classes, b);
}

// Aliases, and pairs that are at one offset by permission, directly or through others.
Classes sharing_classes(const Holdings& holdings, const IdVector<BufferId, Bytes>& offsets) {
  Classes classes = holdings.alias_class;
  for (const auto& [a, b] : holdings.may_reuse)
    if (offsets[a] == offsets[b]) unite(&classes, a, b);
  flatten(&classes);
  return classes;
}

// Any two of different classes that hold the same byte.
class Sweep {
 public:
  Sweep(const Holdings& holdings, const Classes& classes, const IdVector<BufferId, Bytes>& offsets)
      : holdings_(holdings), classes_(classes), offsets_(offsets) {}

  Pair run(std::span<const BufferId> chosen) {
    for (const Event& event : events_of(chosen)) {
      const ShapePart& part = holdings_.parts[event.buffer][event.part];
      const Bytes offset = offsets_[event.buffer];
      const Extent extent{offset + part.lower, offset + part.upper, event.buffer};
      std::vector<Extent>& live = live_[classes_[event.buffer]];
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
  const Classes& classes_;
  const IdVector<BufferId, Bytes>& offsets_;
  std::map<BufferId, std::vector<Extent>> live_;  // by class
  std::map<Bytes, Extent> occupied_;              // by first byte; disjoint
};

// Any two of one class that hold the same byte without being aliases or permitted to.
class Trespassers {
 public:
  Trespassers(const Holdings& holdings, const IdVector<BufferId, Bytes>& offsets)
      : holdings_(holdings), offsets_(offsets) {}

  Pair among(std::span<const BufferId> members) const {
    std::vector<Held> all;
    for (BufferId b : members)
      for (const ShapePart& part : holdings_.parts[b])
        all.push_back({part.lifetime, offsets_[b] + part.lower, offsets_[b] + part.upper, b});
    std::sort(all.begin(), all.end(), [](const Held& a, const Held& b) {
      return std::tuple(a.lifetime.lower, a.buffer) < std::tuple(b.lifetime.lower, b.buffer);
    });
    std::vector<Held> live;
    for (const Held& held : all) {
      std::erase_if(live,
                    [&](const Held& old) { return old.lifetime.upper <= held.lifetime.lower; });
      for (const Held& old : live)
        if (old.begin < held.end && held.begin < old.end && !may_share(old.buffer, held.buffer))
          return std::pair(old.buffer, held.buffer);
      live.push_back(held);
    }
    return std::nullopt;
  }

 private:
  struct Held {
    Interval lifetime;
    Bytes begin;
    Bytes end;
    BufferId buffer;
  };

  bool may_share(BufferId a, BufferId b) const {
    return holdings_.alias_class[a] == holdings_.alias_class[b] ||
           (holdings_.are_permitted(a, b) && offsets_[a] == offsets_[b]);
  }

  const Holdings& holdings_;
  const IdVector<BufferId, Bytes>& offsets_;
};

Pair trespass(const Holdings& holdings, const Classes& classes, std::span<const BufferId> chosen,
              const IdVector<BufferId, Bytes>& offsets) {
  std::map<BufferId, std::vector<BufferId>> members;
  for (BufferId b : chosen) members[classes[b]].push_back(b);
  for (const auto& [root, of_class] : members)
    if (const Pair pair = Trespassers(holdings, offsets).among(of_class)) return pair;
  return std::nullopt;
}

void add_part(Interval lifetime, Bytes lower, Bytes upper, std::vector<ShapePart>* parts) {
  if (!lifetime.empty() && lower < upper) parts->push_back({lifetime, lower, upper});
}

}  // namespace

std::vector<Gap> clipped_gaps(const LayoutRequest& request) {
  std::vector<Gap> gaps;
  for (Gap gap : request.gaps) {
    const Interval life = request.problem.buffers[gap.buffer].lifetime;
    gap.lifetime.lower = std::max(gap.lifetime.lower, life.lower);
    gap.lifetime.upper = std::min(gap.lifetime.upper, life.upper);
    if (!gap.lifetime.empty()) gaps.push_back(gap);
  }
  std::sort(gaps.begin(), gaps.end(), [](const Gap& a, const Gap& b) {
    return std::pair(a.buffer, a.lifetime.lower) < std::pair(b.buffer, b.lifetime.lower);
  });
  return gaps;
}

IdVector<BufferId, std::vector<ShapePart>> parts_of(const LayoutRequest& request) {
  const auto& buffers = request.problem.buffers;
  IdVector<BufferId, std::vector<ShapePart>> parts(buffers.size());
  const std::vector<Gap> gaps = clipped_gaps(request);
  auto gap = gaps.begin();
  for (BufferId b : buffers.ids()) {
    Step from = buffers[b].lifetime.lower;
    for (; gap != gaps.end() && gap->buffer == b; ++gap) {
      add_part({from, gap->lifetime.lower}, 0, buffers[b].size, &parts[b]);
      if (gap->window) add_part(gap->lifetime, gap->window->lower, gap->window->upper, &parts[b]);
      from = gap->lifetime.upper;
    }
    add_part({from, buffers[b].lifetime.upper}, 0, buffers[b].size, &parts[b]);
  }
  return parts;
}

IdVector<BufferId, BufferId> alias_classes(std::size_t num_buffers, std::span<const Tie> ties) {
  Classes classes(num_buffers);
  for (BufferId b : classes.ids()) classes[b] = b;
  for (const Tie& tie : ties)
    if (tie.kind == Tie::kAlias) unite(&classes, tie.first, tie.second);
  flatten(&classes);
  return classes;
}

Holdings::Holdings(const LayoutRequest& request)
    : parts(parts_of(request)),
      alias_class(alias_classes(request.problem.buffers.size(), request.ties)) {
  for (const auto& [first, second] : request.may_reuse)
    may_reuse.push_back(std::minmax(first, second));
  std::sort(may_reuse.begin(), may_reuse.end());
}

bool Holdings::are_permitted(BufferId a, BufferId b) const {
  return std::binary_search(may_reuse.begin(), may_reuse.end(),
                            std::pair<BufferId, BufferId>(std::minmax(a, b)));
}

Pair find_overlap(const Holdings& holdings, std::span<const BufferId> chosen,
                  const IdVector<BufferId, Bytes>& offsets) {
  if (holdings.may_reuse.empty()) return Sweep(holdings, holdings.alias_class, offsets).run(chosen);
  const Classes classes = sharing_classes(holdings, offsets);
  if (const Pair pair = Sweep(holdings, classes, offsets).run(chosen)) return pair;
  return trespass(holdings, classes, chosen, offsets);
}

}  // namespace lowtide
