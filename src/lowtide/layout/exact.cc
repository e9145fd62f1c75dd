#include "lowtide/layout/exact.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "lowtide/layout/capacity_search.h"
#include "lowtide/layout/orders.h"
#include "lowtide/layout/sections.h"

namespace lowtide {
namespace {

constexpr std::int64_t kFirstEffort = 100'000;
constexpr int kBlends = 12;
constexpr std::int64_t kMostPairs = 20'000'000;
// How far between bound and incumbent the questions are asked, lowest first.
constexpr std::array kFractions = {0.0, 0.125, 0.25, 0.5, 0.75};

bool is_searchable(const LayoutProblem& problem, const Sections& sections) {
  std::vector<std::int64_t> alive(static_cast<std::size_t>(sections.count) + 1, 0);
  for (BufferId b : problem.buffers.ids()) {
    if (problem.buffers[b].fixed_offset) return false;
    if (sections.of[b].empty()) continue;
    ++alive[static_cast<std::size_t>(sections.of[b].first)];
    --alive[static_cast<std::size_t>(sections.of[b].last) + 1];
  }
  std::int64_t pairs = 0;
  std::int64_t now = 0;
  for (std::int64_t change : alive) pairs += now += change;
  return pairs <= kMostPairs;
}

// All heights are multiples of it: every offset is a sum of sizes, or one rounded up to an
// alignment.
Bytes unit_of(const LayoutProblem& problem) {
  Bytes unit = 0;
  for (const Buffer& buffer : problem.buffers) {
    unit = std::gcd(unit, buffer.size);
    if (buffer.alignment > 1) unit = std::gcd(unit, buffer.alignment);
  }
  return std::max<Bytes>(unit, 1);
}

using enum BufferKey;
// By start solves what packs like bricks; breadth and area what has a few dominant buffers. No
// order is good for all: each alone solves four to eight of MiniMalloc's 11 instances in a second.
constexpr std::array<std::array<BufferKey, 3>, 7> kOrders = {{
    {kBreadth, kLifetime, kArea},
    {kStart, kSize, kLifetime},
    {kArea, kBreadth, kLifetime},
    {kBreadth, kArea, kLifetime},
    {kLifetime, kArea, kBreadth},
    {kBreadth, kStart, kSize},
    {kLifetime, kBreadth, kSize},
}};

class ExactLayout {
 public:
  ExactLayout(const LayoutProblem& problem, const Sections& sections, Solution<Layout> start,
              const Limits& limits)
      : problem_(problem),
        sections_(sections),
        searched_(problem, sections),
        unit_(unit_of(problem)),
        solution_(std::move(start)),
        meter_(limits),
        seed_(limits.seed()) {
    for (const auto& keys : kOrders)
      orders_.push_back(sorted_buffers(problem, sections, {keys.begin(), keys.end()}));
  }

  Solution<Layout> run() { return problem_.capacity ? within_capacity() : minimised(); }

 private:
  Solution<Layout> within_capacity() {
    for (std::int64_t effort = kFirstEffort; !meter_.stopped(); effort *= 2) {
      add_blended_orders();
      CapacityResult result = ask(*problem_.capacity, effort);
      if (result.fits == Fits::kNo) return Solution<Layout>::infeasible(*problem_.capacity + 1);
      if (result.fits != Fits::kYes) continue;
      const Bytes height = result.layout.height;
      return Solution<Layout>::found(std::move(result.layout), height, solution_.bound());
    }
    return std::move(solution_);
  }

  Solution<Layout> minimised() {
    for (std::int64_t effort = kFirstEffort; !done(); effort *= 2) {
      add_blended_orders();
      for (double fraction : kFractions) learn(between(fraction), effort);
      learn(solution_.value() - unit_, effort);
    }
    return std::move(solution_);
  }

  bool done() const { return solution_.status() == Status::kOptimal || meter_.stopped(); }

  Bytes between(double fraction) const {
    const auto span = static_cast<double>(solution_.value() - solution_.bound());
    return solution_.bound() + static_cast<Bytes>(fraction * span) / unit_ * unit_;
  }

  // Each round keeps the fixed orders and draws new ones: a blend that failed with little effort
  // rarely succeeds with twice as much.
  void add_blended_orders() {
    orders_.resize(kOrders.size());
    for (int i = 0; i < kBlends; ++i)
      orders_.push_back(blended_order(problem_, sections_, seed_++));
  }

  void learn(Bytes capacity, std::int64_t effort) {
    if (done() || capacity >= solution_.value() || capacity < solution_.bound()) return;
    CapacityResult result = ask(capacity, effort);
    if (result.fits == Fits::kNo)
      solution_.raise_bound(std::min(solution_.value(), (capacity / unit_ + 1) * unit_));
    if (result.fits == Fits::kYes) {
      const Bytes height = result.layout.height;
      solution_.improve(
          Solution<Layout>::found(std::move(result.layout), height, solution_.bound()));
    }
    meter_.limits().report(solution_.value(), solution_.bound());
  }

  CapacityResult ask(Bytes capacity, std::int64_t effort) {
    for (const auto& order : orders_) {
      Meter part(meter_.rest().with_steps(effort));
      CapacityResult result = search_capacity(searched_, capacity, order, &part);
      meter_.spend(part.used());
      if (result.fits != Fits::kUnknown || meter_.stopped()) return result;
    }
    return {};
  }

  const LayoutProblem& problem_;
  const Sections& sections_;
  CapacityProblem searched_;
  Bytes unit_;
  Solution<Layout> solution_;
  Meter meter_;
  std::vector<std::vector<BufferId>> orders_;
  std::uint64_t seed_;
};

}  // namespace

Solution<Layout> exact_layout(const LayoutProblem& problem, Solution<Layout> start,
                              const Limits& limits) {
  const bool answered = start.status() == Status::kOptimal ||
                        start.status() == Status::kInfeasible ||
                        (problem.capacity && start.has_value());
  if (answered) return start;
  const Sections sections = make_sections(problem);
  if (!is_searchable(problem, sections)) return start;
  return ExactLayout(problem, sections, std::move(start), limits).run();
}

}  // namespace lowtide
