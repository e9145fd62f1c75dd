// Layouts pressed below a ceiling, and the index over lifetimes they look up neighbours in.
#include "lowtide/layout/greedy/squeeze.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "lowtide/layout/greedy/heuristics.h"
#include "lowtide/layout/greedy/lifetime_index.h"
#include "lowtide/layout/greedy/stream_fit.h"
#include "lowtide/layout/solvers.h"
#include "lowtide/model/layout_bounds.h"
#include "lowtide/verify/layout_verifier.h"
#include "support/long_tests.h"

namespace lowtide {
namespace {

// Lifetimes of 50 steps on average, starts anywhere, sizes up to 2^20 units, log-uniform.
LayoutProblem busy_problem(std::uint64_t seed, int buffers, Step steps, bool is_aligned = false) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> uniform(0, 1);
  LayoutProblem problem;
  for (int i = 0; i < buffers; ++i) {
    const auto lower = static_cast<Step>(uniform(random) * static_cast<double>(steps)) - 7;
    const auto length = static_cast<Step>(-50 * std::log(1 - uniform(random)));
    const auto size = static_cast<Bytes>(std::pow(2, 20 * uniform(random)));
    const Bytes alignment = is_aligned ? Bytes{1} << (random() % 7) : 1;
    problem.buffers.push_back({{lower, lower + length}, size, alignment});
  }
  return problem;
}

// A server's requests: a walk through time leaves 4 to 8 % free where most live at once.
LayoutProblem requests(std::uint64_t seed, int buffers) {
  constexpr Bytes kPages[] = {1, 2, 4, 8, 64};
  std::mt19937_64 random(seed);
  LayoutProblem problem;
  for (Step lower = 0; lower < buffers; ++lower) {
    const auto length = static_cast<Step>(1 + random() % 300);
    const Bytes size = 4096 * kPages[random() % 5] + 256 * static_cast<Bytes>(random() % 3);
    problem.buffers.push_back({{lower, lower + length}, size});
  }
  return problem;
}

TEST(LifetimeIndex, FindsWhatSharesASection) {
  for (std::uint64_t seed = 0; seed < testing::cases(100, 10'000); ++seed) {
    const LayoutProblem problem = busy_problem(seed, static_cast<int>(seed % 60), 40);
    const Sections sections = make_sections(problem);
    const LifetimeIndex index(sections);
    std::mt19937_64 random(seed);
    for (int query = 0; query < 20 && sections.count > 0; ++query) {
      const auto first = static_cast<int>(random() % static_cast<unsigned>(sections.count));
      const SectionRange stretch{first, first + static_cast<int>(random() % 9)};
      IdVector<BufferId, char> found(problem.buffers.size(), false);
      index.visit(stretch, [&](int position) {
        ASSERT_FALSE(found[index.buffer(position)]) << "twice";
        found[index.buffer(position)] = true;
        ASSERT_EQ(index.range(position).first, sections.of[index.buffer(position)].first);
      });
      for (BufferId b : problem.buffers.ids()) {
        const SectionRange& range = sections.of[b];
        const bool shares =
            !range.empty() && range.first <= stretch.last && stretch.first <= range.last;
        ASSERT_EQ(found[b] != 0, shares) << seed;
      }
    }
  }
}

// Its promise: what is found, and twice the most that live at once.
TEST(LifetimeIndex, LooksAtLittleInVain) {
  for (std::uint64_t seed = 0; seed < testing::cases(20, 1'000); ++seed) {
    LayoutProblem problem = busy_problem(seed, 2'000, 1'000);
    for (Buffer& buffer : problem.buffers) buffer.size = 1;
    const Sections sections = make_sections(problem);
    const LifetimeIndex index(sections);
    for (int s = 0; s < sections.count; ++s) {
      std::int64_t found = 0;
      const std::int64_t looked = index.visit({s, s + 3}, [&](int) { ++found; });
      ASSERT_LE(looked, found + 2 * load(problem)) << seed;
    }
  }
}

// As under a short limit: nothing that takes more than a few steps a buffer.
TEST(Squeeze, BringsAWalkNearTheLoadAtOnce) {
  constexpr int kBuffers = 30'000;  // more than the exact search takes
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    const LayoutProblem problem = requests(seed, kBuffers);
    const Bytes bound = lower_bound(problem), near = bound + bound / 50;
    const Limits limits = Limits::within_steps(kBuffers);
    const Layout walk = stream_fit(problem, Limits());
    ASSERT_GT(walk.height, bound + bound / 25) << seed;
    const Layout layout = squeezed_near(problem, walk, bound, limits);
    EXPECT_EQ(layout_error(problem, layout), "") << seed;
    EXPECT_LE(layout.height, near) << seed;
    const auto solution = find_layout_solver("auto")->solve(problem, limits);
    EXPECT_LE(solution.value(), near) << seed;
    EXPECT_EQ(solution.bound(), bound) << seed;
  }
}

TEST(Squeeze, IsValidAndNeverWorse) {
  for (std::uint64_t seed = 0; seed < testing::cases(200, 10'000); ++seed) {
    LayoutProblem problem = busy_problem(seed, static_cast<int>(seed % 150), 100, seed % 2 == 0);
    if (seed % 3 == 0) problem.buffers.push_back({{3, 3}, 8, 1});
    if (seed % 4 == 0) problem.buffers.push_back({{0, 9}, 0, 1});
    const Layout before = stream_fit(problem, Limits());
    const Layout after =
        squeezed(problem, before, lower_bound(problem), Limits::within_steps(20'000));
    ASSERT_EQ(layout_error(problem, after), "") << seed;
    ASSERT_LE(after.height, before.height) << seed;
  }
}

// The walk through time leaves 12 to 26 % free; after the squeeze at most 0.15 %,
// with prices that know no heat up to 0.31 %.
TEST(Squeeze, PressesOutWhatAWalkLeaves) {
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    const LayoutProblem problem = busy_problem(seed, 5'000, 2'500);
    const Bytes bound = lower_bound(problem);
    const Layout before = stream_fit(problem, Limits());
    EXPECT_GT(static_cast<double>(before.height), 1.1 * static_cast<double>(bound)) << seed;
    const Layout after = squeezed(problem, before, bound, Limits::within_steps(300'000));
    EXPECT_LT(static_cast<double>(after.height), 1.0025 * static_cast<double>(bound)) << seed;
  }
}

TEST(Squeeze, StopsWhereItIsGoodEnough) {
  const LayoutProblem problem = busy_problem(1, 2'000, 1'000);
  const Layout before = stream_fit(problem, Limits());
  EXPECT_EQ(squeezed(problem, before, before.height, Limits()).offsets, before.offsets);
  EXPECT_EQ(squeezed(problem, before, 0, Limits::within_steps(3)).offsets, before.offsets);
}

TEST(Squeeze, LeavesFixedOffsetsAlone) {
  LayoutProblem problem = busy_problem(1, 200, 100);
  problem.buffers[BufferId(3)].fixed_offset = 64;
  const Layout before = stacked(problem);
  EXPECT_EQ(squeezed(problem, before, lower_bound(problem), Limits()).offsets, before.offsets);
}

}  // namespace
}  // namespace lowtide
