// Things that live in ranges of sections, found by time: a segment tree over sections whose every
// vertex lists the things that cover it whole (O(log n) vertices each) and, above those, the ones
// that only pass through.
//
// The lists are chains of small blocks in one array: a vertex without things costs 8 bytes, where
// vectors of vectors took 48, a hundred bytes for each of 10^6 buffers.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "lowtide/layout/sections.h"

namespace lowtide {

template <class Thing>
class TimeIndex {
 public:
  explicit TimeIndex(int num_sections) {
    while (leaves_ < num_sections) leaves_ *= 2;
    covering_.resize(static_cast<std::size_t>(2 * leaves_), kNone);
    passing_.resize(static_cast<std::size_t>(2 * leaves_), kNone);
  }

  void insert(const Thing& thing, SectionRange range) { insert(1, 0, leaves_ - 1, thing, range); }

  // Everything that shares a section with `range`, possibly more than once.
  template <class Visit>
  void visit(SectionRange range, const Visit& visit) const {
    walk(1, 0, leaves_ - 1, range, visit);
  }

 private:
  using Chain = std::int32_t;  // the block filled last
  static constexpr Chain kNone = -1;
  struct Block {
    std::array<Thing, 6> things;
    std::int32_t count;
    Chain before;
  };

  void add(const Thing& thing, Chain* chain) {
    if (*chain == kNone || block(*chain).count == std::ssize(Block().things)) {
      blocks_.push_back({.things = {}, .count = 0, .before = *chain});
      *chain = static_cast<Chain>(blocks_.size() - 1);
    }
    Block& last = blocks_[static_cast<std::size_t>(*chain)];
    last.things[static_cast<std::size_t>(last.count++)] = thing;
  }

  const Block& block(Chain chain) const { return blocks_[static_cast<std::size_t>(chain)]; }

  template <class Visit>
  void visit_all(Chain chain, const Visit& visit) const {
    for (; chain != kNone; chain = block(chain).before)
      for (std::int32_t i = 0; i < block(chain).count; ++i)
        visit(block(chain).things[static_cast<std::size_t>(i)]);
  }

  void insert(int node, int first, int last, const Thing& thing, SectionRange range) {
    if (range.last < first || last < range.first) return;
    if (range.first <= first && last <= range.last)
      return add(thing, &covering_[static_cast<std::size_t>(node)]);
    add(thing, &passing_[static_cast<std::size_t>(node)]);
    const int middle = (first + last) / 2;
    insert(2 * node, first, middle, thing, range);
    insert(2 * node + 1, middle + 1, last, thing, range);
  }

  template <class Visit>
  void walk(int node, int first, int last, SectionRange range, const Visit& visit) const {
    if (range.last < first || last < range.first) return;
    visit_all(covering_[static_cast<std::size_t>(node)], visit);
    if (range.first <= first && last <= range.last)
      return visit_all(passing_[static_cast<std::size_t>(node)], visit);
    const int middle = (first + last) / 2;
    walk(2 * node, first, middle, range, visit);
    walk(2 * node + 1, middle + 1, last, range, visit);
  }

  int leaves_ = 1;
  std::vector<Chain> covering_;
  std::vector<Chain> passing_;
  std::vector<Block> blocks_;
};

}  // namespace lowtide
