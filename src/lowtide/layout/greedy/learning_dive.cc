#include "lowtide/layout/greedy/learning_dive.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <random>
#include <tuple>

#include "lowtide/base/unit_interval.h"
#include "lowtide/layout/greedy/heuristics.h"
#include "lowtide/layout/greedy/orders.h"
#include "lowtide/layout/greedy/range_maximum.h"
#include "lowtide/layout/greedy/skyline.h"

namespace lowtide {
namespace {

class LearningDives {
 public:
  LearningDives(const LayoutProblem& problem, const Limits& limits)
      : problem_(problem),
        sections_(make_sections(problem)),
        meter_(limits),
        random_(limits.seed()),
        load_(live_bytes(problem, sections_)),
        fullness_(load_.begin(), load_.end()) {}

  Layout run(Layout best, Bytes good_enough, int rounds) {
    for (int round = 0; round < rounds && best.height > good_enough && !meter_.stopped(); ++round) {
      Layout layout;
      if (!skyline_layout(problem_, sections_, order(round), kMaxBytes, &meter_, &layout)) break;
      if (learns(round)) learn(layout);
      if (layout.height < best.height) best = std::move(layout);
    }
    return best;
  }

 private:
  static bool learns(int round) { return round % 4 < 2; }

  std::vector<BufferId> order(int round) {
    constexpr std::array kNoise = {0.05, 0.1, 0.2};
    const bool by_area = round % 2 == 1;
    const double noise =
        learns(round) ? 0 : kNoise[static_cast<std::size_t>(round / 4) % kNoise.size()];
    const RangeMaximum<double> fullest(
        learns(round) ? fullness_ : std::vector<double>(load_.begin(), load_.end()));
    std::vector<std::tuple<double, double, BufferId>> keyed;
    keyed.reserve(problem_.buffers.size());
    for (BufferId b : problem_.buffers.ids()) {
      const Buffer& buffer = problem_.buffers[b];
      auto weight = static_cast<double>(buffer.lifetime.length());
      if (by_area) weight *= static_cast<double>(buffer.size);
      if (noise > 0) weight *= 1 + noise * (2 * unit() - 1);
      keyed.emplace_back(-fullest.over(sections_.of[b]), -weight, b);
    }
    std::sort(keyed.begin(), keyed.end());
    std::vector<BufferId> order;
    order.reserve(keyed.size());
    for (const auto& entry : keyed) order.push_back(std::get<BufferId>(entry));
    return order;
  }

  double unit() { return unit_interval(random_()); }

  void learn(const Layout& layout) {
    constexpr double kPace = 0.5;
    const std::vector<Bytes> tops = tops_of(layout);
    for (std::size_t s = 0; s < tops.size(); ++s)
      fullness_[s] += kPace * (static_cast<double>(tops[s]) - fullness_[s]);
  }

  // The highest end in each section: buffers from the highest down mark what is not marked yet.
  std::vector<Bytes> tops_of(const Layout& layout) const {
    const auto top = [&](BufferId b) { return layout.offsets[b] + problem_.buffers[b].size; };
    std::vector<BufferId> from_top;
    for (BufferId b : problem_.buffers.ids())
      if (!sections_.of[b].empty()) from_top.push_back(b);
    std::sort(from_top.begin(), from_top.end(),
              [&](BufferId a, BufferId b) { return top(a) > top(b); });
    std::vector<Bytes> tops(load_.size());
    std::vector<int> next(load_.size() +
                          1);  // a section not marked, at or after each; halved paths
    std::iota(next.begin(), next.end(), 0);
    const auto unmarked = [&](int s) {
      for (auto& to = next; to[static_cast<std::size_t>(s)] != s;)
        s = to[static_cast<std::size_t>(s)] =
            to[static_cast<std::size_t>(to[static_cast<std::size_t>(s)])];
      return s;
    };
    for (BufferId b : from_top)
      for (int s = unmarked(sections_.of[b].first); s <= sections_.of[b].last; s = unmarked(s)) {
        tops[static_cast<std::size_t>(s)] = top(b);
        next[static_cast<std::size_t>(s)] = s + 1;
      }
    return tops;
  }

  const LayoutProblem& problem_;
  Sections sections_;
  Meter meter_;
  std::mt19937_64 random_;
  std::vector<Bytes> load_;       // by section
  std::vector<double> fullness_;  // load and waste, averaged over the dives
};

}  // namespace

Layout improved_by_dives(const LayoutProblem& problem, Layout layout, Bytes good_enough, int rounds,
                         const Limits& limits) {
  if (has_fixed_offsets(problem) || layout.height <= good_enough || limits.expired()) return layout;
  return LearningDives(problem, limits).run(std::move(layout), good_enough, rounds);
}

}  // namespace lowtide
