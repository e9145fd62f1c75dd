// What stands so far, section by section, while buffers are put on top of each other.
//
//   height  |      +-----+        Kept as runs of equal height: a run begins at each set bit, so a
//           |---+  |     |        buffer that is put down on sections [4, 9] meets the runs below
//           it |   +--+     +---     once and leaves one. However many sections lifetimes cross, a
//           pile 0   4  7     13       of n buffers takes O(n) runs together.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

#include "lowtide/base/bytes.h"
#include "lowtide/layout/sections.h"

namespace lowtide {

class Floor {
 public:
  explicit Floor(int num_sections)
      : end_(static_cast<std::size_t>(num_sections)), begins_(end_ / 64 + 1), height_(end_ + 1) {}

  void clear() {
    std::fill(begins_.begin(), begins_.end(), 0);
    add_begin(0);
    add_begin(end_);
    height_[0] = 0;
  }

  // Puts something on `range`: top_on(the highest of it) is where it ends, and what is returned.
  template <class TopOn>
  Bytes put(SectionRange range, TopOn top_on) {
    const auto first = static_cast<std::size_t>(range.first);
    const auto end = static_cast<std::size_t>(range.last) + 1;
    Bytes last = height_[begin_at_or_before(first)];
    Bytes most = last;
    std::size_t next = begin_at_or_after(first + 1);
    for (; next < end; next = begin_at_or_after(next + 1)) {
      last = height_[next];
      most = std::max(most, last);
      begins_[next / 64] &= ~bit(next);
    }
    if (next > end) {  // the last run goes on behind
      add_begin(end);
      height_[end] = last;
    }
    add_begin(first);
    return height_[first] = top_on(most);
  }

 private:
  static std::uint64_t bit(std::size_t section) { return std::uint64_t{1} << section % 64; }
  void add_begin(std::size_t section) { begins_[section / 64] |= bit(section); }

  std::size_t begin_at_or_before(std::size_t section) const {
    std::size_t word = section / 64;
    std::uint64_t bits = begins_[word] & (~std::uint64_t{0} >> (63 - section % 64));
    while (bits == 0) bits = begins_[--word];
    return word * 64 + static_cast<std::size_t>(std::bit_width(bits) - 1);
  }
  std::size_t begin_at_or_after(std::size_t section) const {
    std::size_t word = section / 64;
    std::uint64_t bits = begins_[word] & (~std::uint64_t{0} << section % 64);
    while (bits == 0) bits = begins_[++word];
    return word * 64 + static_cast<std::size_t>(std::countr_zero(bits));
  }

  std::size_t end_;
  std::vector<std::uint64_t> begins_;  // by section: does a run begin there? `end_` is one, too
  std::vector<Bytes> height_;          // where a run begins
};

}  // namespace lowtide
