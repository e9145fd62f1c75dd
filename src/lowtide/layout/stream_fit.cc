#include "lowtide/layout/stream_fit.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

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

}  // namespace

Layout stream_fit(const LayoutProblem& problem) {
  std::vector<std::tuple<Step, bool, BufferId>> events;  // ends before starts: half-open lifetimes
  for (BufferId b : problem.buffers.ids()) {
    if (!problem.buffers[b].takes_room()) continue;
    events.emplace_back(problem.buffers[b].lifetime.lower, true, b);
    events.emplace_back(problem.buffers[b].lifetime.upper, false, b);
  }
  std::sort(events.begin(), events.end());
  Layout layout;
  layout.offsets.assign(problem.buffers.size(), 0);
  Gaps gaps;
  for (const auto& [step, is_start, b] : events) {
    const Buffer& buffer = problem.buffers[b];
    if (is_start)
      layout.offsets[b] = gaps.take(buffer.size, buffer.alignment);
    else
      gaps.give_back(layout.offsets[b], layout.offsets[b] + buffer.size);
  }
  layout.height = height_of(problem, layout.offsets);
  return layout;
}

}  // namespace lowtide
