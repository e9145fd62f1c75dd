// Things that live in ranges of sections, found by time: a segment tree over sections whose every
// vertex lists the things that cover it whole (O(log n) vertices each) and, above those, the ones
// that only pass through.
#pragma once

#include <vector>

#include "lowtide/layout/sections.h"

namespace lowtide {

template <class Thing>
class TimeIndex {
 public:
  explicit TimeIndex(int num_sections) {
    while (leaves_ < num_sections) leaves_ *= 2;
    covering_.resize(static_cast<std::size_t>(2 * leaves_));
    passing_.resize(static_cast<std::size_t>(2 * leaves_));
  }

  void insert(const Thing& thing, SectionRange range) { insert(1, 0, leaves_ - 1, thing, range); }

  // Everything that shares a section with `range`, possibly more than once.
  template <class Visit>
  void visit(SectionRange range, const Visit& visit) const {
    walk(1, 0, leaves_ - 1, range, visit);
  }

 private:
  void insert(int node, int first, int last, const Thing& thing, SectionRange range) {
    if (range.last < first || last < range.first) return;
    if (range.first <= first && last <= range.last) {
      covering_[static_cast<std::size_t>(node)].push_back(thing);
      return;
    }
    passing_[static_cast<std::size_t>(node)].push_back(thing);
    const int middle = (first + last) / 2;
    insert(2 * node, first, middle, thing, range);
    insert(2 * node + 1, middle + 1, last, thing, range);
  }

  template <class Visit>
  void walk(int node, int first, int last, SectionRange range, const Visit& visit) const {
    if (range.last < first || last < range.first) return;
    for (const Thing& thing : covering_[static_cast<std::size_t>(node)]) visit(thing);
    if (range.first <= first && last <= range.last) {
      for (const Thing& thing : passing_[static_cast<std::size_t>(node)]) visit(thing);
      return;
    }
    const int middle = (first + last) / 2;
    walk(2 * node, first, middle, range, visit);
    walk(2 * node + 1, middle + 1, last, range, visit);
  }

  int leaves_ = 1;
  std::vector<std::vector<Thing>> covering_;
  std::vector<std::vector<Thing>> passing_;
};

}  // namespace lowtide
