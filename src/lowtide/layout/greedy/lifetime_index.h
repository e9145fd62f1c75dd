// Which buffers live at the same time as a stretch of sections? A list for all buffers, made once.
//
// Buffers are sorted by class of lifetime (from 2^k to 2^(k+1) - 1 sections) and in a class by
// start. Those of a class that share a section with [first, last] start at most 2^(k+1) sections
// before `first`, and not after `last`: a stretch of the list, found by bisection. What is in vain
// in it began less than two of its lifetimes ago, so it lived in one of two sections: a query looks
// at no more than what it finds and twice the most that live at once.
//
// Cost: 12 bytes a buffer, read in order of memory; a segment tree of what is placed, whose
// vertices list what covers them, took 250 bytes and met things more than once.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <tuple>
#include <vector>

#include "lowtide/layout/sections.h"

namespace lowtide {

class LifetimeIndex {
 public:
  // Of the buffers that live in a section at all.
  explicit LifetimeIndex(const Sections& sections) {
    entries_.reserve(sections.of.size());
    for (BufferId b : sections.of.ids())
      if (!sections.of[b].empty()) entries_.push_back({sections.of[b], b});
    std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
      return std::make_tuple(class_of(a.range), a.range.first, a.buffer) <
             std::make_tuple(class_of(b.range), b.range.first, b.buffer);
    });
    for (int i = 0; i < size(); ++i) {
      if (i == 0 || class_of(range(i)) != class_of(range(i - 1))) classes_.push_back({i, 0});
      classes_.back().longest = std::max(classes_.back().longest, range(i).size());
    }
  }

  // Buffers have positions in the list: what is kept of them by position is met in order.
  int size() const { return static_cast<int>(entries_.size()); }
  BufferId buffer(int position) const { return entry(position).buffer; }
  const SectionRange& range(int position) const { return entry(position).range; }

  // The positions of all that share a section with `stretch`. Returns how many it looked at.
  template <class Visit>
  std::int64_t visit(SectionRange stretch, const Visit& visit) const {
    std::int64_t looked = 0;
    for (std::size_t k = 0; k < classes_.size(); ++k) {
      const int end = end_of(k);
      int i = first_after(stretch.first - classes_[k].longest, classes_[k].begin, end);
      for (; i < end && range(i).first <= stretch.last; ++i, ++looked)
        if (range(i).last >= stretch.first) visit(i);
    }
    return looked;
  }

 private:
  struct Entry {
    SectionRange range;
    BufferId buffer;
  };
  struct Class {
    int begin;  // position
    int longest;
  };

  static int class_of(const SectionRange& range) {
    return std::bit_width(static_cast<unsigned>(range.size()));
  }
  const Entry& entry(int position) const { return entries_[static_cast<std::size_t>(position)]; }
  int end_of(std::size_t k) const {
    return k + 1 < classes_.size() ? classes_[k + 1].begin : size();
  }

  // In [begin, end), the first one that starts after `section`.
  int first_after(int section, int begin, int end) const {
    const auto found =
        std::upper_bound(entries_.begin() + begin, entries_.begin() + end, section,
                         [](int s, const Entry& entry) { return s < entry.range.first; });
    return static_cast<int>(found - entries_.begin());
  }

  std::vector<Entry> entries_;
  std::vector<Class> classes_;
};

}  // namespace lowtide
