// The search for perfect packings against brute force: instances whose every section is full, with
// and without a layout that leaves no byte free.
#include "lowtide/layout/search/perfect_search.h"

#include <gtest/gtest.h>

#include <random>

#include "lowtide/model/layout_check.h"
#include "support/brute_force.h"
#include "support/long_tests.h"
#include "support/planted.h"

namespace lowtide {
namespace {

constexpr Step kTime = 4;

// A few random buffers, and on each step one that fills it up.
LayoutProblem full_problem(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  LayoutProblem problem;
  Bytes load_at[kTime] = {};
  for (std::size_t i = 1 + random() % 4; i > 0; --i) {
    const Step lower = static_cast<Step>(random() % kTime);
    const Step upper =
        lower + 1 + static_cast<Step>(random() % (kTime - static_cast<unsigned>(lower)));
    Buffer buffer{.lifetime = {lower, upper}, .size = 1 + static_cast<Bytes>(random() % 5)};
    if (seed % 3 == 1) buffer.alignment = 1 + static_cast<Bytes>(random() % 2);
    problem.buffers.push_back(buffer);
    for (Step step = lower; step < upper; ++step) load_at[step] += buffer.size;
  }
  const Bytes height = *std::max_element(load_at, load_at + kTime);
  for (Step step = 0; step < kTime; ++step)
    if (load_at[step] < height)
      problem.buffers.push_back({.lifetime = {step, step + 1}, .size = height - load_at[step]});
  if (seed % 5 == 2) problem.buffers[BufferId(0)].fixed_offset = static_cast<Bytes>(random() % 3);
  return problem;
}

// Is there a perfect packing? Asked of one ranking alone, of every part that is full.
bool is_packed(const LayoutProblem& problem, std::uint64_t seed) {
  const Instances instances = make_instances(problem);
  Layout layout;
  layout.offsets.assign(problem.buffers.size(), 0);
  for (const Instance& instance : instances.parts) {
    if (instance.max_load * instances.unit != load(problem)) return false;  // a fixed end above
    if (!PerfectSearch::applies(instance, instance.max_load)) return false;
    PerfectSearch search(instance);
    Meter meter{Limits()};
    const Ranking ranking(instance, static_cast<int>(seed % 100), seed);
    const Outcome outcome = search.run(ranking, &meter);
    EXPECT_NE(outcome, Outcome::kStopped);
    if (outcome == Outcome::kExhausted) return false;
    for (std::size_t b = 0; b < instance.id.size(); ++b)
      layout.offsets[instance.id[b]] = search.offsets()[b] * instances.unit;
  }
  layout.height = height_of(problem, layout.offsets);
  EXPECT_EQ(layout.height, load(problem));
  EXPECT_EQ(layout_error(problem, layout), "");
  return true;
}

TEST(PerfectSearch, AgreesWithBruteForce) {
  std::uint64_t packed = 0;
  const std::uint64_t count = testing::cases(1500, 100'000);
  for (std::uint64_t seed = 0; seed < count && !HasFailure(); ++seed) {
    const LayoutProblem problem = full_problem(seed);
    const bool expected = testing::optimal_height(problem) == load(problem);
    ASSERT_EQ(is_packed(problem, seed), expected) << seed;
    packed += expected;
  }
  EXPECT_GT(packed, count / 20);
  EXPECT_LT(packed, count - count / 20);
}

TEST(PerfectSearch, FindsWhatWasPlanted) {
  for (std::uint64_t seed = 0; seed < testing::cases(200, 5'000); ++seed)
    ASSERT_TRUE(is_packed(testing::planted(seed, 20, {0, 60}, 100'000), seed)) << seed;
}

}  // namespace
}  // namespace lowtide
