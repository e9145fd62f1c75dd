#include "lowtide/layout/stream_fit.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <iterator>
#include <map>
#include <set>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lowtide/model/lifetime_events.h"

namespace lowtide {
namespace {

// The free bytes below `top`, merged; above it all is free.
class Gaps {
 public:
  // The tightest gap that holds `size` bytes wherever alignment puts them; else the top.
  Bytes take(Bytes size, Bytes alignment) {
    const auto found = by_size_.lower_bound({size + alignment - 1, 0});
    const Bytes gap_begin = found == by_size_.end() ? last_gap_begin() : found->second;
    const Bytes gap_end = found == by_size_.end() ? kMaxBytes : gap_begin + found->first;
    const Bytes offset = align_up(gap_begin, alignment);
    if (found == by_size_.end()) {
      if (gap_begin < top_) erase(gap_begin);
      top_ = offset + size;
    } else {
      erase(gap_begin);
      insert(offset + size, gap_end);
    }
    insert(gap_begin, offset);
    return offset;
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

  Bytes top() const { return top_; }

 private:
  // A gap that reaches the top, if there is one, can grow beyond it.
  Bytes last_gap_begin() const {
    const bool reaches = !by_begin_.empty() && std::prev(by_begin_.end())->second == top_;
    return reaches ? std::prev(by_begin_.end())->first : top_;
  }
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
  Bytes top_ = 0;
};

// What is quicker than gaps: sizes are rounded up to classes, and bytes go on whole within a class.
class Blocks {
 public:
  explicit Blocks(Bytes bottom) : bottom_(bottom), top_(bottom) {}

  Bytes take(Bytes size, Bytes alignment) {
    const Bytes block = class_above(size);
    std::vector<Bytes>& free = free_[block];
    if (!free.empty() && free.back() % alignment == 0) {
      const Bytes offset = free.back();
      free.pop_back();
      return offset;
    }
    const Bytes offset = align_up(top_, alignment);
    top_ = offset + block;
    return offset;
  }

  // What lies below was not taken here, and may be smaller than its class.
  void give_back(Bytes begin, Bytes end) {
    if (begin >= bottom_) free_[class_above(end - begin)].push_back(begin);
  }

 private:
  // The next number of three binary digits and zeros: at most a quarter more.
  static Bytes class_above(Bytes size) {
    constexpr int kDigits = 3;
    const int zeros = std::bit_width(static_cast<std::uint64_t>(size - 1)) - kDigits;
    return zeros > 0 ? align_up(size, Bytes{1} << zeros) : size;
  }

  std::unordered_map<Bytes, std::vector<Bytes>> free_;  // begins, by class
  Bytes bottom_;
  Bytes top_;
};

using Events = std::span<const LifetimeEvent>;

template <class Allocator>
void serve(const LayoutProblem& problem, Events events, Allocator* allocator, Layout* layout) {
  for (const auto& [b, is_start] : events) {
    const Buffer& buffer = problem.buffers[b];
    Bytes& offset = layout->offsets[b];
    if (is_start)
      offset = allocator->take(buffer.size, buffer.alignment);
    else
      allocator->give_back(offset, offset + buffer.size);
  }
}

// Classes take up to a quarter more than the sizes, whose sum is all that is known to be a number.
bool may_round(const LayoutProblem& problem) {
  Bytes sum = 0;
  for (const Buffer& buffer : problem.buffers)
    if (buffer.takes_room()) sum += buffer.size + (buffer.alignment - 1);
  return sum <= kMaxBytes / 2;
}

}  // namespace

Layout stream_fit(const LayoutProblem& problem, const Limits& limits) {
  constexpr std::size_t kClockPeriod = 1 << 15;
  const std::vector<LifetimeEvent> events = lifetime_events(problem);
  Events rest = events;
  Layout layout;
  layout.offsets.assign(problem.buffers.size(), 0);
  Gaps gaps;
  do {
    const std::size_t count = std::min(kClockPeriod, rest.size());
    serve(problem, rest.first(count), &gaps, &layout);
    rest = rest.subspan(count);
  } while (!rest.empty() && !(limits.expired() && may_round(problem)));
  Blocks blocks(gaps.top());
  serve(problem, rest, &blocks, &layout);
  layout.height = height_of(problem, layout.offsets);
  return layout;
}

}  // namespace lowtide
