// Layouts tier by tier, and the gaps that they and the walk through time take from.
#include "lowtide/layout/greedy/tiers.h"

#include <gtest/gtest.h>

#include <cmath>
#include <optional>
#include <random>
#include <vector>

#include "lowtide/layout/greedy/gaps.h"
#include "lowtide/layout/greedy/stream_fit.h"
#include "lowtide/model/layout_bounds.h"
#include "lowtide/verify/layout_verifier.h"
#include "support/long_tests.h"

namespace lowtide {
namespace {

// Where the tightest run of free cells that takes `size` begins, in a row of cells.
Bytes tightest_by_search(const std::vector<char>& is_taken, Bytes size) {
  const auto cells = static_cast<Bytes>(is_taken.size());
  Bytes best = -1, best_size = kMaxBytes;
  for (Bytes begin = 0; begin < cells; ++begin) {
    if (is_taken[begin] || (begin > 0 && !is_taken[begin - 1])) continue;
    Bytes end = begin;
    while (end < cells && !is_taken[end]) ++end;
    const Bytes gap = end == cells ? kMaxBytes - 1 : end - begin;
    if (gap < size || gap >= best_size) continue;
    best = begin;
    best_size = gap;
  }
  return best;
}

TEST(Gaps, AgreeWithARowOfCells) {
  for (std::uint64_t seed = 0; seed < testing::cases(100, 5'000); ++seed) {
    std::mt19937_64 random(seed);
    std::vector<char> is_taken(2'000, 0);
    std::vector<std::pair<Bytes, Bytes>> blocks;
    Gaps gaps;
    for (int i = 0; i < 100; ++i) {
      if (!blocks.empty() && random() % 3 == 0) {
        std::swap(blocks[random() % blocks.size()], blocks.back());
        const auto [begin, end] = blocks.back();
        blocks.pop_back();
        std::fill(is_taken.begin() + begin, is_taken.begin() + end, 0);
        gaps.give_back(begin, end);
        continue;
      }
      const auto size = static_cast<Bytes>(1 + random() % 12);
      const Bytes begin = gaps.place(size, 1);
      ASSERT_EQ(begin, tightest_by_search(is_taken, size)) << seed;
      std::fill(is_taken.begin() + begin, is_taken.begin() + begin + size, 1);
      blocks.emplace_back(begin, begin + size);
    }
    ASSERT_FALSE(is_taken[gaps.top()]) << seed;
  }
}

// Lifetimes of any length up to `steps`, sizes up to 4096 units, both log-uniform.
LayoutProblem spread_problem(std::uint64_t seed, int buffers, Step steps, Bytes max_alignment) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> uniform(0, 1);
  LayoutProblem problem;
  for (int i = 0; i < buffers; ++i) {
    const auto length = static_cast<Step>(std::pow(steps, uniform(random)));
    const auto lower = static_cast<Step>(uniform(random) * static_cast<double>(steps - length));
    const auto size = static_cast<Bytes>(std::pow(4096, uniform(random)));
    const Bytes alignment = max_alignment == 1 ? 1 : Bytes{1} << (random() % 7);
    problem.buffers.push_back({{lower - 5, lower - 5 + length}, size, alignment});
  }
  return problem;
}

std::optional<Layout> tiered(const LayoutProblem& problem, const Tiering& tiering,
                             const Limits& limits = {}) {
  Meter meter(limits);
  Layout layout;
  if (!tiered_layout(problem, tiering, &meter, &layout)) return std::nullopt;
  return layout;
}

TEST(Tiers, AreValid) {
  for (std::uint64_t seed = 0; seed < testing::cases(200, 10'000); ++seed) {
    LayoutProblem problem = spread_problem(seed, static_cast<int>(seed % 120), 100, 64);
    if (seed % 3 == 0) problem.buffers.push_back({{3, 3}, 8, 1});
    if (seed % 4 == 0) problem.buffers.push_back({{0, 9}, 0, 1});
    for (const Tiering& tiering : kTierings) {
      const auto layout = tiered(problem, tiering);
      ASSERT_TRUE(layout.has_value());
      ASSERT_EQ(layout_error(problem, *layout), "") << seed;
    }
  }
}

// 10^4 buffers: the walk through time leaves 5 to 11 % free, tiers 0.4 to 2.1 %.
TEST(Tiers, FillWhatLongLifetimesLeave) {
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    const LayoutProblem problem = spread_problem(seed, 10'000, 10'000, 1);
    Bytes best = kMaxBytes;
    for (const Tiering& tiering : kTierings)
      best = std::min(best, tiered(problem, tiering)->height);
    EXPECT_LE(static_cast<double>(best), 1.025 * static_cast<double>(lower_bound(problem)));
    EXPECT_LT(best, stream_fit(problem, Limits()).height);
  }
}

TEST(Tiers, StopWithTheMeter) {
  const LayoutProblem problem = spread_problem(1, 1'000, 1'000, 1);
  EXPECT_FALSE(tiered(problem, kTierings[0], Limits::within_steps(500)).has_value());
}

}  // namespace
}  // namespace lowtide
