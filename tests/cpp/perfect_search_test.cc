// The search for perfect packings against brute force: instances whose every section is full, with
// and without a layout that leaves no byte free.
#include "lowtide/layout/search/perfect_search.h"

#include <gtest/gtest.h>

#include "lowtide/model/layout_bounds.h"
#include "lowtide/verify/layout_verifier.h"
#include "support/brute_force.h"
#include "support/full_problem.h"
#include "support/long_tests.h"
#include "support/planted.h"

namespace lowtide {
namespace {

// Is there a perfect packing? Asked of one ranking alone, of every part that is full.
bool is_packed(const LayoutProblem& problem, std::uint64_t seed) {
  if (!testing::is_full(problem)) return false;  // a fixed end above
  const Instances instances = make_instances(problem);
  Layout layout;
  layout.offsets.assign(problem.buffers.size(), 0);
  for (const Instance& instance : instances.parts) {
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
    const LayoutProblem problem = testing::full_problem(seed);
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
