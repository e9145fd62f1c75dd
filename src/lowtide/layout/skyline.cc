#include "lowtide/layout/skyline.h"

#include <algorithm>
#include <functional>
#include <queue>
#include <tuple>

namespace lowtide {
namespace {

// Heights per section: maximum over a range, assignment to a range; O(log n) each.
class HeightTree {
 public:
  explicit HeightTree(int count) {
    while (leaves_ < count) leaves_ *= 2;
    highest_.assign(static_cast<std::size_t>(2 * leaves_), 0);
    assigned_.assign(static_cast<std::size_t>(2 * leaves_), kNothing);
  }

  Bytes highest(SectionRange range) const { return highest(1, 0, leaves_ - 1, range); }
  void assign(SectionRange range, Bytes height) { assign(1, 0, leaves_ - 1, range, height); }

 private:
  static constexpr Bytes kNothing = -1;

  Bytes highest(int node, int first, int last, SectionRange range) const {
    const auto n = static_cast<std::size_t>(node);
    if (range.last < first || last < range.first) return 0;
    if (assigned_[n] != kNothing) return assigned_[n];
    if (range.first <= first && last <= range.last) return highest_[n];
    const int middle = (first + last) / 2;
    return std::max(highest(2 * node, first, middle, range),
                    highest(2 * node + 1, middle + 1, last, range));
  }

  void assign(int node, int first, int last, SectionRange range, Bytes height) {
    const auto n = static_cast<std::size_t>(node);
    if (range.last < first || last < range.first) return;
    if (range.first <= first && last <= range.last) {
      highest_[n] = assigned_[n] = height;
      return;
    }
    if (assigned_[n] != kNothing) {
      for (std::size_t child : {2 * n, 2 * n + 1})
        highest_[child] = assigned_[child] = assigned_[n];
      assigned_[n] = kNothing;
    }
    const int middle = (first + last) / 2;
    assign(2 * node, first, middle, range, height);
    assign(2 * node + 1, middle + 1, last, range, height);
    highest_[n] = std::max(highest_[2 * n], highest_[2 * n + 1]);
  }

  int leaves_ = 1;
  std::vector<Bytes> highest_;
  std::vector<Bytes> assigned_;  // the whole subtree has this height; kNothing if mixed
};

}  // namespace

bool skyline_layout(const LayoutProblem& problem, const Sections& sections,
                    const std::vector<BufferId>& order, Meter* meter, Layout* layout) {
  using Entry = std::tuple<Bytes, std::size_t>;  // lowest offset, place in the order
  std::vector<Entry> entries;
  entries.reserve(order.size());
  layout->offsets.assign(problem.buffers.size(), 0);
  layout->height = 0;
  for (std::size_t i = 0; i < order.size(); ++i)
    if (!sections.of[order[i]].empty()) entries.emplace_back(0, i);
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> lowest(std::greater<>(),
                                                                        std::move(entries));
  HeightTree heights(sections.count);
  while (!lowest.empty()) {
    if (meter->spend()) return false;
    const auto [claimed, place] = lowest.top();
    lowest.pop();
    const BufferId b = order[place];
    const Buffer& buffer = problem.buffers[b];
    const Bytes offset = align_up(heights.highest(sections.of[b]), buffer.alignment);
    if (offset > claimed) {
      lowest.emplace(offset, place);
      continue;
    }
    layout->offsets[b] = offset;
    layout->height = std::max(layout->height, offset + buffer.size);
    heights.assign(sections.of[b], offset + buffer.size);
  }
  return true;
}

}  // namespace lowtide
