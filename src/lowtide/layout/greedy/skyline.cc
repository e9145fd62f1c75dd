#include "lowtide/layout/greedy/skyline.h"

#include <algorithm>
#include <functional>
#include <queue>

#include "lowtide/layout/greedy/nested.h"

namespace lowtide {
namespace {

struct Plateau {
  SectionRange sections;
  Bytes height;
};

// A height per section, as plateaus.
class Skyline {
 public:
  explicit Skyline(int num_sections)
      : height_(static_cast<std::size_t>(num_sections), kInside),
        other_end_(static_cast<std::size_t>(num_sections)) {
    add({{0, num_sections - 1}, 0});
  }

  Plateau lowest() {
    while (!is_plateau(lowest_.top())) lowest_.pop();
    const auto [height, first] = lowest_.top();
    return {{first, other_end_[at(first)]}, height};
  }

  // Of the neighbours of a plateau; kMaxBytes if it is all there is.
  Bytes lower_neighbour(const Plateau& plateau) const {
    const auto [first, last] = plateau.sections;
    const Bytes left = first == 0 ? kMaxBytes : height_[at(other_end_[at(first - 1)])];
    const Bytes right = is_last(last) ? kMaxBytes : height_[at(last + 1)];
    return std::min(left, right);
  }

  // Raises `sections`, within a plateau, to `height`.
  void raise(const Plateau& plateau, SectionRange sections, Bytes height) {
    const auto [first, last] = plateau.sections;
    if (first < sections.first) add({{first, sections.first - 1}, plateau.height});
    if (sections.last < last) add({{sections.last + 1, last}, plateau.height});
    if (sections.first > 0) {
      const int left = other_end_[at(sections.first - 1)];
      if (height_[at(left)] == height) sections.first = absorb(sections.first, left);
    }
    if (!is_last(sections.last) && height_[at(sections.last + 1)] == height) {
      const int right = sections.last + 1;
      sections.last = other_end_[at(right)];
      height_[at(right)] = kInside;
    }
    add({sections, height});
  }

 private:
  static constexpr Bytes kInside = -1;
  using Entry = std::pair<Bytes, int>;  // height, first section

  static std::size_t at(int section) { return static_cast<std::size_t>(section); }
  bool is_last(int section) const { return at(section) + 1 == height_.size(); }
  bool is_plateau(const Entry& entry) const { return height_[at(entry.second)] == entry.first; }

  int absorb(int first, int left) {
    height_[at(first)] = kInside;
    return left;
  }

  void add(const Plateau& plateau) {
    const auto [first, last] = plateau.sections;
    height_[at(first)] = plateau.height;
    other_end_[at(first)] = last;
    other_end_[at(last)] = first;
    lowest_.emplace(plateau.height, first);
  }

  std::vector<Bytes> height_;   // at the first section of a plateau; kInside at the others
  std::vector<int> other_end_;  // at the first and the last
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> lowest_;
};

Nested ranked(const Sections& sections, const std::vector<BufferId>& order) {
  std::vector<SectionRange> ranges;
  ranges.reserve(order.size());
  for (BufferId b : order) ranges.push_back(sections.of[b]);
  return Nested(ranges);
}

}  // namespace

bool skyline_layout(const LayoutProblem& problem, const Sections& sections,
                    const std::vector<BufferId>& order, Bytes below, Meter* meter, Layout* layout) {
  layout->offsets.assign(problem.buffers.size(), 0);
  layout->height = 0;
  if (sections.count == 0) return true;
  Nested unplaced = ranked(sections, order);
  Skyline skyline(sections.count);
  while (true) {
    if (meter->spend()) return false;
    const Plateau lowest = skyline.lowest();
    const int rank = unplaced.least_within(lowest.sections);
    if (rank == Nested::kNone) {
      const Bytes height = skyline.lower_neighbour(lowest);
      if (height == kMaxBytes) return true;
      skyline.raise(lowest, lowest.sections, height);
      continue;
    }
    const BufferId b = order[static_cast<std::size_t>(rank)];
    unplaced.take_out(rank);
    layout->offsets[b] = align_up(lowest.height, problem.buffers[b].alignment);
    const Bytes top = layout->offsets[b] + problem.buffers[b].size;
    if (top >= below) return false;
    layout->height = std::max(layout->height, top);
    skyline.raise(lowest, sections.of[b], top);
  }
}

}  // namespace lowtide
