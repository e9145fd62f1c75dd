// Free bytes, merged, by where they begin and by how many they are. Above all that is taken lies
// one gap without end. O(log n) each way.
#pragma once

#include <iterator>
#include <map>
#include <set>
#include <utility>

#include "lowtide/base/bytes.h"

namespace lowtide {

class Gaps {
 public:
  Gaps() { insert(0, kMaxBytes); }

  // Takes the tightest gap that holds `size` bytes wherever alignment puts them; returns where.
  Bytes place(Bytes size, Bytes alignment) {
    const Bytes begin = by_size_.lower_bound({size + alignment - 1, 0})->second;
    const Bytes offset = align_up(begin, alignment);
    take(offset, offset + size);
    return offset;
  }

  // Tells visit(begin, end) of gaps of at least `size` bytes, the smallest first, until it returns
  // true. The last one has no end.
  template <class Visit>
  void visit_from(Bytes size, const Visit& visit) const {
    for (auto gap = by_size_.lower_bound({size, 0}); gap != by_size_.end(); ++gap)
      if (visit(gap->second, gap->second + gap->first)) return;
  }

  // The bytes must be free.
  void take(Bytes begin, Bytes end) {
    const auto gap = std::prev(by_begin_.upper_bound(begin));
    const auto [gap_begin, gap_end] = *gap;
    by_size_.erase({gap_end - gap_begin, gap_begin});
    by_begin_.erase(gap);
    insert(gap_begin, begin);
    insert(end, gap_end);
  }

  void give_back(Bytes begin, Bytes end) {
    auto after = by_begin_.lower_bound(begin);
    if (after != by_begin_.end() && after->first == end) {
      end = after->second;
      erase(after->first);
    }
    auto before = by_begin_.lower_bound(begin);
    if (before != by_begin_.begin() && std::prev(before)->second == begin) {
      begin = std::prev(before)->first;
      erase(begin);
    }
    insert(begin, end);
  }

  // Where the gap without end begins.
  Bytes top() const { return std::prev(by_begin_.end())->first; }

 private:
  void insert(Bytes begin, Bytes end) {
    if (begin >= end) return;
    by_begin_.emplace(begin, end);
    by_size_.emplace(end - begin, begin);
  }
  void erase(Bytes begin) {
    const auto gap = by_begin_.find(begin);
    by_size_.erase({gap->second - gap->first, gap->first});
    by_begin_.erase(gap);
  }

  std::map<Bytes, Bytes> by_begin_;
  std::set<std::pair<Bytes, Bytes>> by_size_;  // size, begin
};

}  // namespace lowtide
