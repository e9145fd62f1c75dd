#include "lowtide/layout/greedy/stream_fit.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "lowtide/layout/greedy/gaps.h"
#include "lowtide/model/layout_bounds.h"
#include "lowtide/model/lifetime_events.h"

namespace lowtide {
namespace {

// What is quicker than gaps: sizes are rounded up to classes, and bytes go on whole within a class.
class Blocks {
 public:
  explicit Blocks(Bytes bottom) : bottom_(bottom), top_(bottom) {}

  Bytes place(Bytes size, Bytes alignment) {
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
  constexpr std::size_t kAhead = 16;
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (i + kAhead < events.size()) {
      __builtin_prefetch(&problem.buffers[events[i + kAhead].buffer]);
      __builtin_prefetch(&layout->offsets[events[i + kAhead].buffer]);
    }
    const auto [b, is_start] = events[i];
    const Buffer& buffer = problem.buffers[b];
    Bytes& offset = layout->offsets[b];
    if (is_start)
      offset = allocator->place(buffer.size, buffer.alignment);
    else
      allocator->give_back(offset, offset + buffer.size);
  }
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
  } while (!rest.empty() && !limits.expired());
  Blocks blocks(gaps.top());
  serve(problem, rest, &blocks, &layout);
  layout.height = height_of(problem, layout.offsets);
  return layout;
}

}  // namespace lowtide
