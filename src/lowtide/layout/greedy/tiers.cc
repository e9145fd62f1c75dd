#include "lowtide/layout/greedy/tiers.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <queue>
#include <tuple>
#include <utility>
#include <vector>

#include "lowtide/layout/greedy/gaps.h"
#include "lowtide/model/layout_bounds.h"
#include "lowtide/model/lifetime_events.h"

namespace lowtide {
namespace {

constexpr double kNextTier = 0.3;  // of the last one
constexpr int kTiers = 5;          // the last one takes all that is left
constexpr int kTries = 16;         // gaps a buffer looks at before it goes on top

using Ids = std::vector<BufferId>;

struct Extent {
  Bytes begin;
  Bytes end;
};

// A walk through time, in either direction, past what is placed and with what is to be placed.
class Walk {
 public:
  Walk(const LayoutProblem& problem, bool is_forward, Meter* meter, Layout* layout)
      : problem_(problem), is_forward_(is_forward), meter_(meter), layout_(layout) {}

  // False if the meter stopped it.
  bool run(const Ids& placed, const Ids& to_place) {
    begin(placed);
    for (const BufferId b : in_time(to_place)) {
      const Interval life = along(b);
      advance_to(life.lower);
      const std::ptrdiff_t last = come_before(life.upper);
      layout_->offsets[b] = find(problem_.buffers[b], last);
      enter(b);
      if (meter_->spend(1 + (last - next_) / 64)) return false;
    }
    return true;
  }

 private:
  using End = std::pair<Step, BufferId>;

  // The lifetime in the direction of the walk: ~x is -x - 1, for any x.
  Interval along(BufferId b) const {
    const Interval life = problem_.buffers[b].lifetime;
    return is_forward_ ? life : Interval{~life.upper, ~life.lower};
  }

  Ids in_time(Ids ids) const {
    std::sort(ids.begin(), ids.end(), [this](BufferId a, BufferId b) {
      return std::make_tuple(along(a).lower, -problem_.buffers[a].size, a) <
             std::make_tuple(along(b).lower, -problem_.buffers[b].size, b);
    });
    return ids;
  }

  void begin(const Ids& placed) {
    placed_ = in_time(placed);
    for (const BufferId b : placed_) {
      starts_.push_back(along(b).lower);
      extents_.push_back({layout_->offsets[b], layout_->offsets[b] + problem_.buffers[b].size});
    }
  }

  // Those placed before that start before `step`, as a position in `placed_`.
  std::ptrdiff_t come_before(Step step) const {
    return std::lower_bound(starts_.begin() + next_, starts_.end(), step) - starts_.begin();
  }

  void advance_to(Step step) {
    for (; next_ < std::ssize(placed_) && starts_[next_] <= step; ++next_) {
      leave_until(starts_[next_]);
      enter(placed_[next_]);
    }
    leave_until(step);
  }
  void leave_until(Step step) {
    for (; !ends_.empty() && ends_.top().first <= step; ends_.pop()) {
      const BufferId b = ends_.top().second;
      gaps_.give_back(layout_->offsets[b], layout_->offsets[b] + problem_.buffers[b].size);
    }
  }
  void enter(BufferId b) {
    gaps_.take(layout_->offsets[b], layout_->offsets[b] + problem_.buffers[b].size);
    ends_.emplace(along(b).upper, b);
  }

  // The first bytes for a buffer in the tightest gap that those who come before `last` leave free.
  Bytes find(const Buffer& buffer, std::ptrdiff_t last) {
    Bytes offset = 0;
    bool fits = false;
    int tries = 0;
    gaps_.visit_from(buffer.size, [&](Bytes begin, Bytes end) {
      offset = first_free({begin, end}, buffer, last);
      fits = offset + buffer.size <= end;
      return fits || ++tries == kTries;
    });
    return fits ? offset : first_free({gaps_.top(), kMaxBytes}, buffer, last);
  }

  // Where the buffer fits above gap.begin; its end may lie beyond the gap.
  Bytes first_free(Extent gap, const Buffer& buffer, std::ptrdiff_t last) {
    in_the_way_.clear();
    for (std::ptrdiff_t i = next_; i < last; ++i)
      if (extents_[i].begin < gap.end && gap.begin < extents_[i].end)
        in_the_way_.push_back(extents_[i]);
    std::sort(in_the_way_.begin(), in_the_way_.end(),
              [](const Extent& a, const Extent& b) { return a.begin < b.begin; });
    Bytes offset = align_up(gap.begin, buffer.alignment);
    for (const Extent& other : in_the_way_) {
      if (offset + buffer.size <= other.begin) break;
      offset = std::max(offset, align_up(other.end, buffer.alignment));
    }
    return offset;
  }

  const LayoutProblem& problem_;
  bool is_forward_;
  Meter* meter_;
  Layout* layout_;
  Ids placed_;  // by start; with their starts and bytes
  std::vector<Step> starts_;
  std::vector<Extent> extents_;
  std::ptrdiff_t next_ = 0;  // of placed_, to start
  std::priority_queue<End, std::vector<End>, std::greater<>> ends_;
  Gaps gaps_;
  std::vector<Extent> in_the_way_;
};

Step fullest_step(const LayoutProblem& problem) {
  Bytes load = 0, highest = 0;
  Step fullest = 0;
  for (const auto& [b, is_start] : lifetime_events(problem)) {
    const Buffer& buffer = problem.buffers[b];
    load += is_start ? buffer.size : -buffer.size;
    if (load <= highest) continue;
    highest = load;
    fullest = buffer.lifetime.lower;
  }
  return fullest;
}

// Those who live in `center`.
void stack(const LayoutProblem& problem, Step center, Tiering::Stack order, Ids ids,
           Layout* layout) {
  const auto reach = [&](BufferId b) {
    const Interval life = problem.buffers[b].lifetime;
    const Step before = Interval{life.lower, center}.length();
    const Step after = Interval{center, life.upper}.length();
    return order == Tiering::Stack::kByEnd ? after : std::min(before, after);
  };
  std::sort(ids.begin(), ids.end(), [&](BufferId a, BufferId b) {
    return std::make_pair(-reach(a), a) < std::make_pair(-reach(b), b);
  });
  Bytes top = 0;
  for (const BufferId b : ids) {
    layout->offsets[b] = align_up(top, problem.buffers[b].alignment);
    top = layout->offsets[b] + problem.buffers[b].size;
  }
}

// By lifetime, the longest tier first.
std::vector<Ids> tiers_of(const LayoutProblem& problem, double first_tier) {
  Step longest = 0;
  for (const Buffer& buffer : problem.buffers)
    if (buffer.takes_room()) longest = std::max(longest, buffer.lifetime.length());
  std::vector<Ids> tiers(kTiers);
  for (BufferId b : problem.buffers.ids()) {
    if (!problem.buffers[b].takes_room()) continue;
    double least = first_tier * static_cast<double>(longest);
    std::size_t tier = 0;
    while (tier + 1 < kTiers && static_cast<double>(problem.buffers[b].lifetime.length()) < least) {
      least *= kNextTier;
      ++tier;
    }
    tiers[tier].push_back(b);
  }
  return tiers;
}

}  // namespace

bool tiered_layout(const LayoutProblem& problem, const Tiering& tiering, Meter* meter,
                   Layout* layout) {
  layout->offsets.assign(problem.buffers.size(), 0);
  const std::vector<Ids> tiers = tiers_of(problem, tiering.first_tier);
  const Step center = fullest_step(problem);
  const auto lives_in_center = [&](BufferId b) {
    return problem.buffers[b].lifetime.contains(center);
  };
  Ids placed;
  std::copy_if(tiers[0].begin(), tiers[0].end(), std::back_inserter(placed), lives_in_center);
  stack(problem, center, tiering.stack, placed, layout);
  const auto walk = [&](const Ids& ids, bool is_forward) {
    if (!Walk(problem, is_forward, meter, layout).run(placed, ids)) return false;
    placed.insert(placed.end(), ids.begin(), ids.end());
    return true;
  };
  for (const Ids& tier : tiers) {
    const bool is_first = &tier == &tiers.front();
    Ids forward, backward;
    for (const BufferId b : tier)
      if (!is_first || !lives_in_center(b))
        (problem.buffers[b].lifetime.upper > center ? forward : backward).push_back(b);
    if (!walk(forward, true) || !walk(backward, false)) return false;
  }
  layout->height = height_of(problem, layout->offsets);
  return true;
}

}  // namespace lowtide
