#include "lowtide/layout/greedy/squeeze.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "lowtide/base/unit_interval.h"
#include "lowtide/layout/greedy/heuristics.h"
#include "lowtide/layout/greedy/lifetime_index.h"
#include "lowtide/layout/greedy/orders.h"
#include "lowtide/model/layout_bounds.h"

namespace lowtide {
namespace {

struct Extent {
  Bytes begin;
  Bytes end;
};

constexpr Extent kOut{-1, -1};

// At neighbours, for each buffer: what a trial may look at.
constexpr std::int64_t kFirstLooks = 20, kMoreLooks = 4;

class Squeeze {
 public:
  Squeeze(const LayoutProblem& problem, const Sections& sections, std::uint64_t seed)
      : problem_(problem),
        load_(live_bytes(problem, sections)),
        index_(sections),
        random_(seed),
        placed_(static_cast<std::size_t>(index_.size())),
        price_(placed_.size()),
        heat_before_(load_.size() + 1) {}

  // False, with *layout as it was, if it did not come below the ceiling within `looks` at
  // neighbours, or the meter stopped it.
  bool press(Bytes ceiling, std::int64_t looks, Meter* meter, Layout* layout) {
    set_out(ceiling, *layout);
    while (!waiting_.empty()) {
      const int position = hardest();
      const std::int64_t looked = put_back(position, ceiling);
      looks -= looked;
      if (meter->spend(1 + looked / 16) || looks < 0) return false;
    }
    for (int i = 0; i < index_.size(); ++i) layout->offsets[index_.buffer(i)] = at(i).begin;
    layout->height = height_of(problem_, layout->offsets);
    return true;
  }

 private:
  struct Waiting {
    double price;  // without what it has grown
    int position;
    friend bool operator<(const Waiting& a, const Waiting& b) {
      return std::make_pair(a.price, -a.position) < std::make_pair(b.price, -b.position);
    }
  };

  Extent& at(int position) { return placed_[static_cast<std::size_t>(position)]; }
  float& price(int position) { return price_[static_cast<std::size_t>(position)]; }
  const Buffer& buffer(int position) const { return problem_.buffers[index_.buffer(position)]; }

  void set_out(Bytes ceiling, const Layout& layout) {
    heat_up(ceiling);
    waiting_.clear();
    for (int i = 0; i < index_.size(); ++i) {
      const Bytes begin = layout.offsets[index_.buffer(i)];
      at(i) = {begin, begin + buffer(i).size};
      price(i) = static_cast<float>(base_price(i));
      if (at(i).end > ceiling) take_out(i);
    }
  }

  void heat_up(Bytes ceiling) {
    constexpr double kLeast = 0.005;  // of the ceiling, is added to what is free
    const auto whole = static_cast<double>(ceiling);
    double sum = 0;
    for (std::size_t s = 0; s < load_.size(); ++s) {
      const double heat = whole / (static_cast<double>(ceiling - load_[s]) + kLeast * whole);
      heat_before_[s] = sum;
      sum += heat * heat * heat;
    }
    heat_before_.back() = sum;
  }

  double base_price(int position) const {
    const auto [first, last] = index_.range(position);
    return static_cast<double>(buffer(position).size) *
           (heat_before_[static_cast<std::size_t>(last) + 1] -
            heat_before_[static_cast<std::size_t>(first)]);
  }

  void take_out(int position) {
    at(position) = kOut;
    waiting_.push_back({base_price(position), position});
    std::push_heap(waiting_.begin(), waiting_.end());
  }

  int hardest() {
    std::pop_heap(waiting_.begin(), waiting_.end());
    const int position = waiting_.back().position;
    waiting_.pop_back();
    return position;
  }

  // Returns how many neighbours it looked at.
  std::int64_t put_back(int position, Bytes ceiling) {
    neighbours_.clear();
    const std::int64_t looked = index_.visit(index_.range(position), [this](int other) {
      if (at(other).end >= 0) neighbours_.push_back({at(other), other});
    });
    std::sort(neighbours_.begin(), neighbours_.end(), [](const Neighbour& a, const Neighbour& b) {
      return std::make_pair(a.extent.begin, a.position) <
             std::make_pair(b.extent.begin, b.position);
    });
    const auto gap = tightest_gap(buffer(position), ceiling);
    const Bytes begin = gap ? *gap : cheapest_place(buffer(position), ceiling);
    const Extent extent{begin, begin + buffer(position).size};
    if (!gap) make_room(extent);
    at(position) = extent;
    return looked;
  }

  double noisy(double cost) {
    constexpr double kNoise = 0.05;
    return cost * (1 + kNoise * unit_interval(random_()));
  }

  std::optional<Bytes> tightest_gap(const Buffer& buffer, Bytes ceiling) const {
    std::optional<Bytes> best;
    Bytes top = 0, best_gap = kMaxBytes;
    const auto look = [&](Bytes end) {
      const Bytes begin = align_up(top, buffer.alignment);
      if (begin + buffer.size > end || end - top >= best_gap) return;
      best = begin;
      best_gap = end - top;
    };
    for (const Neighbour& other : neighbours_) {
      look(other.extent.begin);
      top = std::max(top, other.extent.end);
    }
    look(ceiling);
    return best;
  }

  // Where the prices of those in the way add up to least, give or take a little: the sum gets less
  // only where one of them ends.
  Bytes cheapest_place(const Buffer& buffer, Bytes ceiling) {
    ends_.clear();
    for (const Neighbour& other : neighbours_)
      ends_.emplace_back(other.extent.end, price(other.position));
    std::sort(ends_.begin(), ends_.end());
    Bytes best = 0;
    double least = std::numeric_limits<double>::infinity(), cost = 0;
    auto next = neighbours_.begin();
    const auto look = [&](Bytes begin) {
      for (; next != neighbours_.end() && next->extent.begin < begin + buffer.size; ++next)
        cost += price(next->position);
      const double its_cost = noisy(cost);
      if (its_cost >= least) return;
      least = its_cost;
      best = begin;
    };
    look(0);
    for (const auto& [end, its_price] : ends_) {
      const Bytes begin = align_up(end, buffer.alignment);
      if (begin + buffer.size > ceiling) break;
      cost -= its_price;
      look(begin);
    }
    return best;
  }

  void make_room(Extent extent) {
    for (const Neighbour& other : neighbours_) {
      if (other.extent.end <= extent.begin || extent.end <= other.extent.begin) continue;
      take_out(other.position);
      price(other.position) += static_cast<float>(base_price(other.position));
    }
  }

  struct Neighbour {
    Extent extent;
    int position;
  };

  const LayoutProblem& problem_;
  std::vector<Bytes> load_;  // by section
  LifetimeIndex index_;
  std::mt19937_64 random_;
  std::vector<Extent> placed_;  // by position in the index, as is the next
  std::vector<float> price_;
  std::vector<double> heat_before_;  // each section, summed
  std::vector<Waiting> waiting_;     // a heap
  std::vector<Neighbour> neighbours_;
  std::vector<std::pair<Bytes, float>> ends_;
};

// Towards `goal`, until `good_enough`; each effort looks at four times as many as the one before.
Layout squeezed(const LayoutProblem& problem, Layout layout, Bytes goal, Bytes good_enough,
                int efforts, const Limits& limits) {
  constexpr double kFirstShare = 0.5, kLeastShare = 0.1;
  if (has_fixed_offsets(problem) || layout.height <= good_enough || limits.expired()) return layout;
  Squeeze squeeze(problem, make_sections(problem), limits.seed());
  Meter meter(limits);
  auto looks = kFirstLooks * static_cast<std::int64_t>(problem.buffers.size());
  for (int effort = 0; effort < efforts; ++effort, looks *= kMoreLooks)
    for (double share = kFirstShare; share > kLeastShare && !meter.stopped();) {
      if (layout.height <= good_enough) return layout;
      const auto excess = static_cast<double>(layout.height - goal);
      const auto less = std::max<Bytes>(static_cast<Bytes>(share * excess), 1);
      const bool fits = squeeze.press(layout.height - less, looks, &meter, &layout);
      share = fits ? kFirstShare : share / 2;
    }
  return layout;
}

}  // namespace

Layout squeezed(const LayoutProblem& problem, Layout layout, Bytes good_enough,
                const Limits& limits) {
  constexpr int kEfforts = 4;
  return squeezed(problem, std::move(layout), good_enough, good_enough, kEfforts, limits);
}

Layout squeezed_near(const LayoutProblem& problem, Layout layout, Bytes good_enough,
                     const Limits& limits) {
  return squeezed(problem, std::move(layout), good_enough, good_enough + good_enough / 50, 1,
                  limits);
}

}  // namespace lowtide
