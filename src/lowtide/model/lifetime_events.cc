#include "lowtide/model/lifetime_events.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <tuple>

namespace lowtide {
namespace {

struct Extent {
  Step first = std::numeric_limits<Step>::max();
  Step last = std::numeric_limits<Step>::min();
  std::size_t buffers = 0;

  bool is_dense() const {
    constexpr std::size_t kStepsPerBuffer = 4;
    constexpr std::size_t kMostCounted = std::size_t{1} << 31;  // counts are of 32 bits
    const std::size_t length = static_cast<std::size_t>(last) - static_cast<std::size_t>(first);
    return length <= kStepsPerBuffer * buffers && buffers < kMostCounted;
  }
};

Extent extent_of(const LayoutProblem& problem) {
  Extent extent;
  for (const Buffer& buffer : problem.buffers) {
    if (!buffer.takes_room()) continue;
    extent.first = std::min(extent.first, buffer.lifetime.lower);
    extent.last = std::max(extent.last, buffer.lifetime.upper);
    ++extent.buffers;
  }
  return extent;
}

// Visits each start and each end, by buffer.
template <class Visit>
void for_each_event(const LayoutProblem& problem, const Visit& visit) {
  for (BufferId b : problem.buffers.ids()) {
    const Buffer& buffer = problem.buffers[b];
    if (!buffer.takes_room()) continue;
    visit(buffer.lifetime.lower, LifetimeEvent{b, true});
    visit(buffer.lifetime.upper, LifetimeEvent{b, false});
  }
}

std::vector<LifetimeEvent> counted(const LayoutProblem& problem, const Extent& extent) {
  const auto slot_of = [&](Step step, bool is_start) {
    return 2 * static_cast<std::size_t>(step - extent.first) + (is_start ? 1 : 0);
  };
  std::vector<std::uint32_t> next(slot_of(extent.last, true) + 2);
  for_each_event(
      problem, [&](Step step, LifetimeEvent event) { ++next[slot_of(step, event.is_start) + 1]; });
  for (std::size_t slot = 1; slot < next.size(); ++slot) next[slot] += next[slot - 1];
  std::vector<LifetimeEvent> events(2 * extent.buffers);
  for_each_event(problem, [&](Step step, LifetimeEvent event) {
    events[next[slot_of(step, event.is_start)]++] = event;
  });
  return events;
}

std::vector<LifetimeEvent> sorted(const LayoutProblem& problem, const Extent& extent) {
  std::vector<std::tuple<Step, bool, BufferId>> keys;
  keys.reserve(2 * extent.buffers);
  for_each_event(problem, [&](Step step, LifetimeEvent event) {
    keys.emplace_back(step, event.is_start, event.buffer);
  });
  std::sort(keys.begin(), keys.end());
  std::vector<LifetimeEvent> events;
  events.reserve(keys.size());
  for (const auto& [step, is_start, buffer] : keys) events.push_back({buffer, is_start});
  return events;
}

}  // namespace

std::vector<LifetimeEvent> lifetime_events(const LayoutProblem& problem) {
  const Extent extent = extent_of(problem);
  if (extent.buffers == 0) return {};
  return extent.is_dense() ? counted(problem, extent) : sorted(problem, extent);
}

}  // namespace lowtide
