#include "lowtide/layout/layout_planner.h"

#include <algorithm>
#include <numeric>

#include "lowtide/model/request_faults.h"

namespace lowtide {
namespace {

double area(const Buffer& b) {
  return static_cast<double>(b.size) * static_cast<double>(b.lifetime.length());
}

using Key = double (*)(const Buffer&);

// Largest first.
constexpr Key kKeys[] = {
    [](const Buffer& b) { return static_cast<double>(b.lifetime.length()); },
    [](const Buffer& b) { return area(b); },
    [](const Buffer& b) { return static_cast<double>(b.size); },
    [](const Buffer& b) { return -static_cast<double>(b.lifetime.lower); },
};

}  // namespace

void LayoutPlanner::reserve(std::size_t num_buffers) {
  changes_.reserve(2 * num_buffers);
  order_.reserve(num_buffers);
  placed_.reserve(num_buffers);
  trial_.reserve(num_buffers);
}

LayoutPlanner::Result LayoutPlanner::place(std::span<const Buffer> buffers,
                                           std::span<Bytes> offsets) {
  LOWTIDE_CHECK(buffers.size() == offsets.size(), "one offset for each buffer");
  check_buffers(buffers);
  reserve(buffers.size());
  order_.resize(buffers.size());
  Result best{.height = kMaxBytes, .lower_bound = lower_bound(buffers)};
  for (const Key key : kKeys) {
    std::iota(order_.begin(), order_.end(), 0u);
    std::sort(order_.begin(), order_.end(), [&](std::uint32_t a, std::uint32_t b) {
      const double x = key(buffers[a]), y = key(buffers[b]);
      if (x != y) return x > y;
      return buffers[a].size != buffers[b].size ? buffers[a].size > buffers[b].size : a < b;
    });
    const Bytes height = fit(buffers);
    if (height >= best.height) continue;
    best.height = height;
    std::copy(trial_.begin(), trial_.end(), offsets.begin());
    if (best.is_optimal()) break;
  }
  return best;
}

// As lowtide::lower_bound of a problem.
Bytes LayoutPlanner::lower_bound(std::span<const Buffer> buffers) {
  changes_.clear();
  Bytes bound = 0;
  for (const Buffer& buffer : buffers) {
    if (!buffer.takes_room()) continue;
    changes_.emplace_back(buffer.lifetime.lower, buffer.size);
    changes_.emplace_back(buffer.lifetime.upper, -buffer.size);
    if (buffer.fixed_offset) bound = std::max(bound, *buffer.fixed_offset + buffer.size);
  }
  std::sort(changes_.begin(), changes_.end());
  Bytes live = 0;
  for (const auto& [step, change] : changes_) bound = std::max(bound, live += change);
  return bound;
}

// The height of placing all in order_; offsets are left in trial_.
Bytes LayoutPlanner::fit(std::span<const Buffer> buffers) {
  placed_.clear();
  trial_.assign(buffers.size(), 0);
  Bytes height = 0;
  for (const std::uint32_t i : order_)
    if (const auto fixed = buffers[i].fixed_offset) {
      trial_[i] = *fixed;
      height = std::max(height, put(buffers[i], *fixed));
    }
  for (const std::uint32_t i : order_) {
    if (buffers[i].fixed_offset || !buffers[i].takes_room()) continue;
    trial_[i] = lowest_gap(buffers[i]);
    height = std::max(height, put(buffers[i], trial_[i]));
  }
  return height;
}

Bytes LayoutPlanner::lowest_gap(const Buffer& buffer) const {
  Bytes offset = 0;
  for (const Placed& placed : placed_) {
    if (placed.end <= offset || !placed.lifetime.intersects(buffer.lifetime)) continue;
    if (placed.begin - offset >= buffer.size) break;
    offset = align_up(placed.end, buffer.alignment);
  }
  return offset;
}

// Returns the buffer's end.
Bytes LayoutPlanner::put(const Buffer& buffer, Bytes offset) {
  if (!buffer.takes_room()) return 0;
  const Bytes end = offset + buffer.size;
  const auto above = std::upper_bound(placed_.begin(), placed_.end(), offset,
                                      [](Bytes value, const Placed& p) { return value < p.begin; });
  placed_.insert(above, {offset, end, buffer.lifetime});
  return end;
}

}  // namespace lowtide
