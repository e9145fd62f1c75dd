// The walk through time, and what it does when the time is up on the way.
#include "lowtide/layout/greedy/stream_fit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <tuple>

#include "lowtide/model/layout_bounds.h"
#include "lowtide/model/lifetime_events.h"
#include "lowtide/verify/layout_verifier.h"

namespace lowtide {
namespace {

LayoutProblem random_problem(std::uint64_t seed, int buffers, Step steps) {
  std::mt19937_64 random(seed);
  LayoutProblem problem;
  for (int i = 0; i < buffers; ++i) {
    const Step lower = static_cast<Step>(random() % static_cast<std::uint64_t>(steps));
    const auto length = static_cast<Step>(random() % 50);
    const auto size = static_cast<Bytes>(random() % 5'000);
    const Bytes alignment = Bytes{1} << (random() % 7);
    problem.buffers.push_back({{lower - 10, lower - 10 + length}, size, alignment});
  }
  return problem;
}

using Key = std::tuple<Step, bool, BufferId>;

std::vector<Key> keys_by_sorting(const LayoutProblem& problem) {
  std::vector<Key> keys;
  for (BufferId b : problem.buffers.ids()) {
    if (!problem.buffers[b].takes_room()) continue;
    keys.emplace_back(problem.buffers[b].lifetime.lower, true, b);
    keys.emplace_back(problem.buffers[b].lifetime.upper, false, b);
  }
  std::sort(keys.begin(), keys.end());
  return keys;
}

// Steps as many as the buffers are counted, more are sorted.
TEST(LifetimeEvents, AreInOrderOfTime) {
  for (const Step steps : {1, 40, 400, 4'000'000})
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
      const LayoutProblem problem = random_problem(seed, static_cast<int>(seed) * 4, steps);
      std::vector<Key> keys;
      for (const auto& [b, is_start] : lifetime_events(problem)) {
        const Interval life = problem.buffers[b].lifetime;
        keys.emplace_back(is_start ? life.lower : life.upper, is_start, b);
      }
      ASSERT_EQ(keys, keys_by_sorting(problem)) << steps << " " << seed;
    }
}

TEST(StreamFit, IsValidWhenTimeIsUpOnTheWay) {
  const Limits none = Limits::within_seconds(0);
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    const LayoutProblem problem = random_problem(seed, 100'000, 30'000);
    const Layout in_haste = stream_fit(problem, none);
    const Layout at_leisure = stream_fit(problem, Limits());
    EXPECT_EQ(layout_error(problem, in_haste), "");
    EXPECT_EQ(layout_error(problem, at_leisure), "");
    EXPECT_LT(at_leisure.height, in_haste.height);
    EXPECT_LT(in_haste.height, 16 * load(problem));  // without reuse: hundreds of times
  }
}

TEST(StreamFit, NeverHastensWhatIsSmall) {
  const LayoutProblem problem = random_problem(1, 10'000, 1'000);
  EXPECT_EQ(stream_fit(problem, Limits::within_seconds(0)).height,
            stream_fit(problem, Limits()).height);
}

}  // namespace
}  // namespace lowtide
