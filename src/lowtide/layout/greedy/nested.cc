#include "lowtide/layout/greedy/nested.h"

#include <algorithm>

namespace lowtide {

Nested::Nested(const std::vector<SectionRange>& ranges) : where_(ranges.size()) {
  for (std::size_t rank = 0; rank < ranges.size(); ++rank)
    if (!ranges[rank].empty()) points_.push_back({ranges[rank], static_cast<int>(rank)});
  std::size_t depth = 0;
  while ((kLeaf << depth) < points_.size()) ++depth;
  nodes_.resize((std::size_t{2} << depth) - 1);
  if (!points_.empty()) build(0, 0, points_.size(), true);
  for (std::size_t i = 0; i < points_.size(); ++i)
    where_[static_cast<std::size_t>(points_[i].rank)] = i;
}

void Nested::build(std::size_t node, std::size_t begin, std::size_t end, bool by_first) {
  const SectionRange any = points_[begin].range;
  Node made{any, any, kGone};
  for (std::size_t i = begin; i < end; ++i) {
    const auto [first, last] = points_[i].range;
    made.inner = {std::max(made.inner.first, first), std::min(made.inner.last, last)};
    made.outer = {std::min(made.outer.first, first), std::max(made.outer.last, last)};
    made.least = std::min(made.least, points_[i].rank);
  }
  nodes_[node] = made;
  if (end - begin <= kLeaf) return;
  const std::size_t middle = (begin + end) / 2;
  const auto at = [&](std::size_t i) { return points_.begin() + static_cast<std::ptrdiff_t>(i); };
  std::nth_element(at(begin), at(middle), at(end), [&](const Point& a, const Point& b) {
    return by_first ? a.range.first < b.range.first : a.range.last < b.range.last;
  });
  build(2 * node + 1, begin, middle, !by_first);
  build(2 * node + 2, middle, end, !by_first);
}

int Nested::least_within(SectionRange stretch) const {
  int least = kGone;
  if (!points_.empty()) search(0, 0, points_.size(), stretch, &least);
  return least == kGone ? kNone : least;
}

void Nested::search(std::size_t node, std::size_t begin, std::size_t end, SectionRange stretch,
                    int* least) const {
  const Node& at = nodes_[node];
  if (at.least >= *least || at.inner.first < stretch.first || at.inner.last > stretch.last) return;
  if (at.outer.first >= stretch.first && at.outer.last <= stretch.last) {
    *least = at.least;
    return;
  }
  if (end - begin <= kLeaf) {
    for (std::size_t i = begin; i < end; ++i)
      if (points_[i].range.first >= stretch.first && points_[i].range.last <= stretch.last)
        *least = std::min(*least, points_[i].rank);
    return;
  }
  const std::size_t middle = (begin + end) / 2;
  const std::size_t left = 2 * node + 1, right = 2 * node + 2;
  const bool left_first = nodes_[left].least < nodes_[right].least;
  if (left_first) search(left, begin, middle, stretch, least);
  search(right, middle, end, stretch, least);
  if (!left_first) search(left, begin, middle, stretch, least);
}

void Nested::take_out(int rank) {
  const std::size_t changed = where_[static_cast<std::size_t>(rank)];
  points_[changed].rank = kGone;
  refresh(0, 0, points_.size(), changed);
}

void Nested::refresh(std::size_t node, std::size_t begin, std::size_t end, std::size_t changed) {
  Node& at = nodes_[node];
  if (end - begin <= kLeaf) {
    at.least = kGone;
    for (std::size_t i = begin; i < end; ++i) at.least = std::min(at.least, points_[i].rank);
    return;
  }
  const std::size_t middle = (begin + end) / 2;
  if (changed < middle)
    refresh(2 * node + 1, begin, middle, changed);
  else
    refresh(2 * node + 2, middle, end, changed);
  at.least = std::min(nodes_[2 * node + 1].least, nodes_[2 * node + 2].least);
}

}  // namespace lowtide
