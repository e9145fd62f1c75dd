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
  for (const auto& [b, is_start] : events) {
    const Buffer& buffer = problem.buffers[b];
    Bytes& offset = layout->offsets[b];
    if (is_start)
      offset = allocator->place(buffer.size, buffer.alignment);
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
