#include "lowtide/layout/shapes/order_search.h"

#include <algorithm>

#include "lowtide/base/unit_interval.h"
#include "lowtide/layout/shapes/shape_fit.h"

namespace lowtide {
namespace {

constexpr std::size_t kHistory = 30;
constexpr std::size_t kSmall = 300;  // shapes, for single moves to be worth an order each
constexpr int kPatience = 200;       // orders without progress before the wheel starts anew

}  // namespace

OrderSearch::OrderSearch(const ShapeProblem& problem, std::vector<BufferId> first,
                         std::uint64_t seed)
    : problem_(problem), pieces_(make_pieces(problem)), random_(seed), first_(std::move(first)) {}

double OrderSearch::overshoot(const Layout& layout) const {
  double sum = 0;
  for (BufferId b : problem_.shapes.ids()) {
    const Bytes above = layout.offsets[b] + problem_.shapes[b].size - mark_;
    if (above > 0 && problem_.shapes[b].takes_room())
      sum += static_cast<double>(above) * static_cast<double>(above);
  }
  return sum;
}

void OrderSearch::start_from(const Layout& layout) {
  order_.clear();
  for (BufferId b : problem_.shapes.ids()) order_.push_back(b);
  std::stable_sort(order_.begin(), order_.end(),
                   [&](BufferId a, BufferId b) { return layout.offsets[a] < layout.offsets[b]; });
  ends_.assign(problem_.shapes.size(), 0);
  history_.clear();
  height_ = layout.height;
}

void OrderSearch::keep(Order order, const Layout& layout) {
  order_ = std::move(order);
  for (BufferId b : problem_.shapes.ids()) ends_[b] = layout.offsets[b] + problem_.shapes[b].size;
}

std::size_t OrderSearch::position_to_change() {
  constexpr int kTries = 50;
  const bool any = below(3) == 0;
  std::size_t position = below(order_.size());
  for (int i = 0; i < kTries && !any && ends_[order_[position]] <= mark_; ++i)
    position = below(order_.size());
  return position;
}

OrderSearch::Order OrderSearch::changed() {
  Order order = order_;
  const auto at = [&](std::size_t i) { return order.begin() + static_cast<std::ptrdiff_t>(i); };
  const std::size_t from = position_to_change();
  if (below(3) == 0)
    std::swap(order[from], order[below(order.size())]);
  else
    std::rotate(at(below(from + 1)), at(from), at(from + 1));
  return order;
}

void OrderSearch::restart_wheel() {
  const Order order = wheel_ == 0 && !first_.empty() ? first_ : noisy_order(wheel_ % 2 == 0);
  ++wheel_;
  urgency_.assign(problem_.shapes.size(), 0);
  for (std::size_t i = 0; i < order.size(); ++i)
    urgency_[order[i]] = static_cast<double>(order.size() - i);
  stale_ = 0;
  wheel_height_ = kMaxBytes;
}

OrderSearch::Order OrderSearch::noisy_order(bool by_area) {
  constexpr double kNoise = 0.2;
  std::vector<std::pair<double, BufferId>> keyed;
  for (BufferId b : problem_.shapes.ids()) {
    const double key = by_area ? area_of(problem_.shapes[b]) : steps_of(problem_.shapes[b]);
    const double unit = unit_interval(random_());
    keyed.emplace_back(-key * (1 + kNoise * unit), b);
  }
  std::sort(keyed.begin(), keyed.end());
  Order order;
  for (const auto& [key, b] : keyed) order.push_back(b);
  return order;
}

// False if the meter stopped it.
bool OrderSearch::squeak(Bytes good_enough, Layout* best, Meter* meter) {
  if (urgency_.empty() || stale_ > kPatience) restart_wheel();
  Order order;
  for (BufferId b : problem_.shapes.ids()) order.push_back(b);
  std::stable_sort(order.begin(), order.end(),
                   [&](BufferId a, BufferId b) { return urgency_[a] > urgency_[b]; });
  auto layout = fit_in_order(problem_, pieces_, order, meter);
  if (!layout) return false;
  stale_ = layout->height < wheel_height_ ? 0 : stale_ + 1;
  wheel_height_ = std::min(wheel_height_, layout->height);
  const double blame = 1 + static_cast<double>(order.size()) / 8;
  const Bytes wanted = std::max(good_enough, std::min(wheel_height_, layout->height) - 1);
  for (BufferId b : order)
    if (layout->offsets[b] + problem_.shapes[b].size > wanted) urgency_[b] += blame;
  if (layout->height < best->height) *best = *std::move(layout);
  return true;
}

bool OrderSearch::move(Bytes good_enough, Layout* best, Meter* meter) {
  if (height_ != best->height) start_from(*best);
  mark_ = best->height - 1 - (best->height - good_enough) / 8;
  const bool is_first = history_.empty();
  Order order = is_first ? order_ : changed();
  auto layout = fit_in_order(problem_, pieces_, order, meter);
  if (!layout) return false;
  const double value = overshoot(*layout);
  if (is_first) history_.assign(kHistory, value);
  if (double& before = history_[tried_++ % kHistory]; value <= before) {
    keep(std::move(order), *layout);
    before = value;
  }
  if (layout->height < best->height) *best = *std::move(layout);
  height_ = best->height;
  return true;
}

Layout OrderSearch::improve(Layout best, Bytes good_enough, int orders, Meter* meter) {
  if (problem_.shapes.size() < 2) return best;
  const bool is_small = problem_.shapes.size() <= kSmall;
  for (int i = 0; i < orders && best.height > good_enough && !meter->stopped(); ++i)
    if (is_small && i % 2 == 1 ? !move(good_enough, &best, meter)
                               : !squeak(good_enough, &best, meter))
      break;
  return best;
}

}  // namespace lowtide
