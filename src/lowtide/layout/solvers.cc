#include "lowtide/layout/solvers.h"

#include <algorithm>
#include <array>
#include <limits>

#include "lowtide/layout/greedy/heuristics.h"
#include "lowtide/layout/greedy/learning_dive.h"
#include "lowtide/layout/greedy/pyramid.h"
#include "lowtide/layout/greedy/squeeze.h"
#include "lowtide/layout/greedy/tiers.h"
#include "lowtide/layout/program/ilp.h"
#include "lowtide/layout/search/exact.h"
#include "lowtide/model/fixed_conflict.h"
#include "lowtide/model/layout_bounds.h"

namespace lowtide {
namespace {

template <BufferKey kKey, Fit kFit>
Solution<Layout> fit_by(const LayoutProblem& problem, const Limits& limits) {
  const std::vector<BufferKey> keys = {kKey, BufferKey::kSize, BufferKey::kLifetime};
  return judged(problem, fit_by_keys(problem, keys, kFit, limits), limits);
}

Solution<Layout> skyline(const LayoutProblem& problem, const Limits& limits) {
  return judged(problem, best_skyline(problem, limits), limits);
}

Solution<Layout> best(const LayoutProblem& problem, const Limits& limits) {
  return judged(problem, improved_by_fits(problem, best_skyline(problem, limits), limits), limits);
}

bool is_impossible(const LayoutProblem& problem) {
  return fixed_conflict(problem) || (problem.capacity && lower_bound(problem) > *problem.capacity);
}

Solution<Layout> pyramid(const LayoutProblem& problem, const Limits& limits) {
  Meter meter(limits);
  Layout layout;
  if (!fit_layout(problem, make_sections(problem), pyramid_order(problem), Fit::kLowest, &meter,
                  &layout))
    layout = stacked(problem);
  return judged(problem, std::move(layout), limits);
}

// From the plainest start, so that the search itself is seen.
Solution<Layout> exact(const LayoutProblem& problem, const Limits& limits) {
  if (is_impossible(problem) || !is_exact_size(problem)) return skyline(problem, limits);
  return exact_layout(problem, best_skyline(problem, limits), limits);
}

// The paper's program, started from the best of the heuristics.
Solution<Layout> ilp(const LayoutProblem& problem, const Limits& limits) {
  Layout layout = best_skyline(problem, limits);
  if (is_impossible(problem) || is_good_enough(problem, layout))
    return judged(problem, std::move(layout), limits);
  return ilp_layout(problem, improved_by_fits(problem, std::move(layout), limits), limits);
}

Layout improved_by_tiers(const LayoutProblem& problem, Layout layout, const Limits& limits) {
  constexpr std::size_t kFew = 300'000;
  if (has_fixed_offsets(problem)) return layout;
  auto tierings = kTierings;
  if (problem.buffers.size() > kFew) std::reverse(tierings.begin(), tierings.end());
  Meter meter(limits);
  for (const Tiering& tiering : tierings) {
    if (meter.stopped() || is_good_enough(problem, layout)) break;
    Layout other;
    if (tiered_layout(problem, tiering, &meter, &other) && other.height < layout.height)
      layout = std::move(other);
  }
  return layout;
}

Solution<Layout> tiers(const LayoutProblem& problem, const Limits& limits) {
  return judged(problem, improved_by_tiers(problem, stacked(problem), limits), limits);
}

Bytes wanted_height(const LayoutProblem& problem) {
  return std::max(lower_bound(problem), problem.capacity.value_or(0));
}

// More dives, for half of the time.
Layout improved_by_dives(const LayoutProblem& problem, Layout layout, const Limits& limits) {
  constexpr int kRounds = 200;
  return improved_by_dives(problem, std::move(layout), wanted_height(problem), kRounds,
                           limits.with_seconds(limits.seconds_left() / 2));
}

// Does a step see the longest lifetimes all around it? Else tiers, laid from one step outwards, are
// a walk like any other.
bool has_long_lifetimes(const LayoutProblem& problem) {
  constexpr Step kShare = 8;
  Interval all{std::numeric_limits<Step>::max(), std::numeric_limits<Step>::min()};
  Step longest = 0;
  for (const Buffer& buffer : problem.buffers) {
    if (!buffer.takes_room()) continue;
    all = {std::min(all.lower, buffer.lifetime.lower), std::max(all.upper, buffer.lifetime.upper)};
    longest = std::max(longest, buffer.lifetime.length());
  }
  return longest > 0 && longest >= all.length() / kShare;
}

// What helps thousands of buffers: a good start, pressed down.
Layout improved_for_many(const LayoutProblem& problem, Layout layout, const Limits& limits) {
  constexpr int kRounds = 2;
  const Bytes wanted = wanted_height(problem);
  if (has_long_lifetimes(problem))
    layout = improved_by_tiers(problem, std::move(layout),
                               limits.with_seconds(limits.seconds_left() / 3));
  layout = improved_by_dives(problem, std::move(layout), wanted, kRounds,
                             limits.with_seconds(limits.seconds_left() / 4));
  return squeezed(problem, std::move(layout), wanted,
                  limits.with_seconds(0.8 * limits.seconds_left()));
}

// Heuristics end most instances; then the search, as long as there is time. One that searches a
// little comes before the slower heuristics: it is usually better than all of them.
Solution<Layout> portfolio(const LayoutProblem& problem, const Limits& limits) {
  constexpr int kShortRounds = 2;
  constexpr std::size_t kManyBuffers = 5'000;
  const bool may_search = !is_impossible(problem) && is_exact_size(problem);
  Layout layout =
      best_skyline(problem, may_search ? limits : limits.with_seconds(limits.seconds_left() / 8));
  if (limits.expired() || is_impossible(problem) || is_good_enough(problem, layout))
    return judged(problem, std::move(layout), limits);
  if (problem.buffers.size() >= kManyBuffers)
    layout = improved_for_many(problem, std::move(layout), limits);
  Bytes bound = 0;
  if (may_search) {
    auto solution = exact_layout(problem, layout, limits, {.end = kShortRounds});
    if (solution.status() == Status::kOptimal || solution.status() == Status::kInfeasible ||
        (problem.capacity && solution.has_value()))
      return solution;
    bound = solution.bound();
    if (solution.has_value()) layout = solution.best();
  } else {
    layout = improved_by_dives(problem, std::move(layout), limits);
  }
  layout = improved_by_fits(problem, std::move(layout), limits);
  auto solution = may_search
                      ? exact_layout(problem, std::move(layout), limits, {.first = kShortRounds})
                      : judged(problem, std::move(layout), limits);
  if (!problem.capacity) solution.raise_bound(bound);
  return solution;
}

constexpr std::array kSolvers = {
    LayoutSolver{"auto", true, "the default: heuristics, then the exact search", portfolio},
    LayoutSolver{"exact", true, "search over canonical placements: least height with a proof",
                 exact},
    LayoutSolver{"ilp", false, "the paper's integer program on HiGHS: a second opinion", ilp, true},
    LayoutSolver{"best", false, "the best of all heuristics", best},
    LayoutSolver{"skyline", false,
                 "always the buffer that can go lowest, several orders; large instances", skyline},
    LayoutSolver{
        "tiers", false,
        "long lifetimes from the fullest step outwards, shorter ones into the gaps; 10^5 of "
        "any lifetime",
        tiers},
    LayoutSolver{"first_fit", false, "by start, lowest gap: what a simple allocator does",
                 fit_by<BufferKey::kStart, Fit::kLowest>},
    LayoutSolver{"best_fit", false, "by start, tightest gap: what caching allocators do",
                 fit_by<BufferKey::kStart, Fit::kTightest>},
    LayoutSolver{"greedy_by_size", false, "largest first; few large buffers among many small",
                 fit_by<BufferKey::kSize, Fit::kLowest>},
    LayoutSolver{"greedy_by_area", false, "largest size x lifetime first",
                 fit_by<BufferKey::kArea, Fit::kLowest>},
    LayoutSolver{"greedy_by_breadth", false, "buffers of the busiest steps first; inference graphs",
                 fit_by<BufferKey::kBreadth, Fit::kLowest>},
    LayoutSolver{"longest_first", false, "longest lifetime first; training graphs",
                 fit_by<BufferKey::kLifetime, Fit::kLowest>},
    LayoutSolver{"pyramid", false, "the paper's: nested lifetimes stacked from the base; training",
                 pyramid},
};

}  // namespace

std::span<const LayoutSolver> layout_solvers() { return kSolvers; }

const LayoutSolver* find_layout_solver(std::string_view name) {
  for (const LayoutSolver& solver : layout_solvers())
    if (name == solver.name) return &solver;
  return nullptr;
}

}  // namespace lowtide
