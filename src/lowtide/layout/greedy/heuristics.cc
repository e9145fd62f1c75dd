#include "lowtide/layout/greedy/heuristics.h"

#include <algorithm>

#include "lowtide/layout/greedy/skyline.h"
#include "lowtide/layout/greedy/stream_fit.h"
#include "lowtide/model/fixed_conflict.h"
#include "lowtide/model/layout_bounds.h"

namespace lowtide {
namespace {

using Keys = std::vector<BufferKey>;

const std::vector<Keys>& skyline_orders() {
  using enum BufferKey;
  static const std::vector<Keys> orders = {
      {kLifetime, kSize, kArea},    {kLifetime, kArea, kSize},    {kArea, kLifetime, kSize},
      {kSize, kLifetime, kArea},    {kBreadth, kLifetime, kSize}, {kStart, kSize, kLifetime},
      {kBreadth, kArea, kLifetime}, {kBreadth, kSize, kLifetime},
  };
  return orders;
}

Bytes fixed_top(const LayoutProblem& problem) {
  Bytes top = 0;
  for (const Buffer& buffer : problem.buffers)
    if (buffer.fixed_offset && buffer.takes_room())
      top = std::max(top, *buffer.fixed_offset + buffer.size);
  return top;
}

struct FitOrder {
  BufferKey key;
  Fit fit;
};

}  // namespace

bool has_fixed_offsets(const LayoutProblem& problem) {
  return std::any_of(problem.buffers.begin(), problem.buffers.end(),
                     [](const Buffer& buffer) { return buffer.fixed_offset.has_value(); });
}

Layout stacked(const LayoutProblem& problem) {
  Layout layout;
  layout.height = fixed_top(problem);
  for (const Buffer& buffer : problem.buffers) {
    const Bytes offset = buffer.fixed_offset.value_or(align_up(layout.height, buffer.alignment));
    layout.offsets.push_back(offset);
    if (buffer.takes_room()) layout.height = std::max(layout.height, offset + buffer.size);
  }
  return layout;
}

Layout fit_by_keys(const LayoutProblem& problem, const Keys& keys, Fit fit, const Limits& limits) {
  const Sections sections = make_sections(problem);
  Meter meter(limits);
  Layout layout;
  if (!fit_layout(problem, sections, sorted_buffers(problem, sections, keys), fit, &meter, &layout))
    return stacked(problem);
  return layout;
}

Layout best_skyline(const LayoutProblem& problem, const Limits& limits) {
  using enum BufferKey;
  if (has_fixed_offsets(problem))
    return fit_by_keys(problem, {kLifetime, kSize, kLifetime}, Fit::kLowest, limits);
  return improved_by_skylines(problem, stream_fit(problem, limits), limits);
}

Layout improved_by_skylines(const LayoutProblem& problem, Layout best, const Limits& limits) {
  if (limits.expired() || has_fixed_offsets(problem)) return best;
  const Bytes good_enough = std::max(lower_bound(problem), problem.capacity.value_or(0));
  if (best.height <= good_enough) return best;
  const Sections sections = make_sections(problem);
  Meter meter(limits);
  for (const Keys& keys : skyline_orders()) {
    if (meter.stopped()) break;
    Layout layout;
    if (skyline_layout(problem, sections, sorted_buffers(problem, sections, keys), best.height,
                       &meter, &layout))
      best = std::move(layout);
    if (best.height <= good_enough) break;
  }
  return best;
}

Layout improved_by_fits(const LayoutProblem& problem, Layout layout, const Limits& limits) {
  using enum BufferKey;
  constexpr FitOrder kOrders[] = {
      {kStart, Fit::kTightest}, {kStart, Fit::kLowest}, {kSize, Fit::kLowest},
      {kBreadth, Fit::kLowest}, {kArea, Fit::kLowest},  {kLifetime, Fit::kLowest},
  };
  for (const FitOrder& order : kOrders) {
    if (limits.expired() || is_good_enough(problem, layout)) break;
    Layout other = fit_by_keys(problem, {order.key, kSize, kLifetime}, order.fit, limits);
    if (other.height < layout.height) layout = std::move(other);
  }
  return layout;
}

bool is_good_enough(const LayoutProblem& problem, const Layout& layout) {
  return layout.height <= std::max(lower_bound(problem), problem.capacity.value_or(0));
}

Solution<Layout> judged(const LayoutProblem& problem, Layout layout, const Limits& limits) {
  return judged(problem, std::move(layout), lower_bound(problem), limits);
}

Solution<Layout> judged(const LayoutProblem& problem, Layout layout, Bytes bound,
                        const Limits& limits) {
  if (fixed_conflict(problem)) return Solution<Layout>::infeasible(bound);
  if (problem.capacity && bound > *problem.capacity) return Solution<Layout>::infeasible(bound);
  if (problem.capacity && layout.height > *problem.capacity)
    return Solution<Layout>::unknown(bound);
  limits.report(layout.height, bound);
  const Bytes height = layout.height;
  return Solution<Layout>::found(std::move(layout), height, bound);
}

}  // namespace lowtide
