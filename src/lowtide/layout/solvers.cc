#include "lowtide/layout/solvers.h"

#include <algorithm>
#include <array>
#include <limits>

#include "lowtide/layout/greedy/heuristics.h"
#include "lowtide/layout/greedy/learning_dive.h"
#include "lowtide/layout/greedy/pyramid.h"
#include "lowtide/layout/greedy/squeeze.h"
#include "lowtide/layout/greedy/stream_fit.h"
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

bool is_impossible(const LayoutProblem& problem, Bytes bound) {
  return fixed_conflict(problem) || (problem.capacity && bound > *problem.capacity);
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
  if (is_impossible(problem, lower_bound(problem)) || !is_exact_size(problem))
    return skyline(problem, limits);
  return exact_layout(problem, best_skyline(problem, limits), limits);
}

// The paper's program, started from the best of the heuristics.
Solution<Layout> ilp(const LayoutProblem& problem, const Limits& limits) {
  Layout layout = best_skyline(problem, limits);
  if (is_impossible(problem, lower_bound(problem)) || is_good_enough(problem, layout))
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

// More dives, for half of the time.
Layout improved_by_dives(const LayoutProblem& problem, Layout layout, Bytes wanted,
                         const Limits& limits) {
  constexpr int kRounds = 200;
  return improved_by_dives(problem, std::move(layout), wanted, kRounds,
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

constexpr std::size_t kManyBuffers = 5'000;

// A walk through time, for thousands of buffers; and in *rest the limits of what follows it. The
// clock stands still there while buffers are sorted and indexed, for about as long as a walk takes,
// and here while bytes are found for what the walk had no time for.
Layout walked(const LayoutProblem& problem, const Limits& limits, Limits* rest) {
  constexpr double kShare = 0.8;
  const auto start = Clock::now();
  const Limits part = limits.with_seconds(kShare * limits.seconds_left());
  Layout layout =
      has_fixed_offsets(problem) ? best_skyline(problem, part) : stream_fit(problem, part);
  const std::chrono::duration<double> taken = Clock::now() - start;
  *rest = limits.with_seconds(limits.seconds_left() - taken.count());
  return layout;
}

// What helps thousands of buffers. Only a few stretches of time are as full as the fullest, so a
// brief squeeze brings what sticks out of the walk near the load, before a dive would have been set
// up. (No nearer than it has to be: pressed down further, a walk ends above what a dive does.) Then
// slower starts, and the best of them pressed down further.
Layout improved_for_many(const LayoutProblem& problem, Layout layout, Bytes wanted,
                         const Limits& limits) {
  constexpr int kRounds = 2;
  const auto share_of_rest = [&](double share) {
    return limits.with_seconds(share * limits.seconds_left());
  };
  layout = squeezed_near(problem, std::move(layout), wanted, share_of_rest(0.5));
  layout = improved_by_skylines(problem, std::move(layout), share_of_rest(0.125));
  if (layout.height > wanted && has_long_lifetimes(problem))
    layout = improved_by_tiers(problem, std::move(layout), share_of_rest(1.0 / 3));
  layout = improved_by_dives(problem, std::move(layout), wanted, kRounds, share_of_rest(0.25));
  return squeezed(problem, std::move(layout), wanted, share_of_rest(0.8));
}

// Heuristics end most instances; then the search, as long as there is time. One that searches a
// little comes before the slower heuristics: it is usually better than all of them.
Solution<Layout> portfolio(const LayoutProblem& problem, const Limits& all_limits) {
  constexpr int kShortRounds = 2;
  const Bytes least = lower_bound(problem);
  if (is_impossible(problem, least)) return Solution<Layout>::infeasible(least);
  const Bytes wanted = std::max(least, problem.capacity.value_or(0));
  const bool is_many = problem.buffers.size() >= kManyBuffers;
  Limits limits = all_limits;
  Layout layout =
      is_many ? walked(problem, all_limits, &limits) : best_skyline(problem, all_limits);
  if (limits.expired() || layout.height <= wanted)
    return judged(problem, std::move(layout), least, limits);
  if (is_many) layout = improved_for_many(problem, std::move(layout), wanted, limits);
  const bool may_search = is_exact_size(problem);
  Bytes bound = 0;
  if (may_search) {
    auto solution = exact_layout(problem, layout, limits, {.end = kShortRounds});
    if (solution.status() == Status::kOptimal || solution.status() == Status::kInfeasible ||
        (problem.capacity && solution.has_value()))
      return solution;
    bound = solution.bound();
    if (solution.has_value()) layout = solution.best();
  } else {
    layout = improved_by_dives(problem, std::move(layout), wanted, limits);
  }
  layout = improved_by_fits(problem, std::move(layout), limits);
  auto solution = may_search
                      ? exact_layout(problem, std::move(layout), limits, {.first = kShortRounds})
                      : judged(problem, std::move(layout), least, limits);
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
