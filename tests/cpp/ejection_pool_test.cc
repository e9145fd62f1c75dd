// Ejection pool: every layout it returns is valid and within the capacity, what it was given does
// not matter to that, and it finds layouts that other searches find late or never.
#include "lowtide/layout/search/ejection_pool.h"

#include <gtest/gtest.h>

#include "lowtide/layout/search/exact.h"
#include "lowtide/verify/layout_verifier.h"
#include "support/long_tests.h"
#include "support/one_part.h"
#include "support/planted.h"

namespace lowtide {
namespace {

using testing::OnePart;
using testing::random_part;

// Alignments and fixed offsets among them. Capacities go up as well as down, and runs are cut
// short, so that it goes on from every kind of state.
TEST(EjectionPool, LayoutsAreValidAndWithinTheCapacity) {
  int found = 0;
  for (std::uint64_t seed = 0; seed < testing::cases(300, 20'000); ++seed) {
    const OnePart c(random_part(seed));
    EjectionPool search(c.instance(), seed);
    for (Bytes more : {30, 3, 10, 1, 0}) {
      const Bytes capacity = c.instance().max_load + more;
      Meter meter(Limits::within_steps(200));
      if (!search.run(capacity, &meter)) continue;
      ++found;
      const Layout layout = c.in_bytes(search.offsets());
      ASSERT_EQ(layout_error(c.problem, layout), "") << seed;
      ASSERT_LE(layout.height, capacity * c.instances.unit) << seed;
    }
  }
  EXPECT_GT(found, 2 * testing::cases(300, 20'000));
}

// The exact search says what exists. Least heights are found, but for a few in a hundred; what is
// below them is not.
TEST(EjectionPool, FindsWhatExistsAndNothingElse) {
  int proved = 0, found = 0, tight = 0;
  for (std::uint64_t seed = 0; seed < testing::cases(200, 5'000); ++seed) {
    const OnePart c(random_part(seed));
    const auto exact = exact_layout(c.problem, c.layout, Limits::within_steps(20'000));
    if (exact.status() != Status::kOptimal) continue;
    ++proved;
    const Bytes least = exact.value() / c.instances.unit;
    EjectionPool search(c.instance(), seed);
    Meter meter(Limits::within_steps(10'000));
    found += search.run(least, &meter) ? 1 : 0;
    if (least == c.instance().max_load) continue;
    ++tight;
    Meter other(Limits::within_steps(2'000));
    EXPECT_FALSE(search.run(least - 1, &other)) << seed;
  }
  EXPECT_GT(proved, 100);
  EXPECT_GE(100 * found, 95 * proved);
  EXPECT_GT(tight, 3);
}

TEST(EjectionPool, IsAFunctionOfItsArguments) {
  const OnePart c(random_part(4));
  const auto run = [&](std::uint64_t seed) {
    EjectionPool search(c.instance(), seed);
    Meter meter(Limits::within_steps(10'000));
    EXPECT_TRUE(search.run(c.instance().max_load + 4, &meter));
    return search.offsets();
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
}

// All stacked, twice as high as need be.
TEST(EjectionPool, ComesCloseToPlantedOptima) {
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    LayoutProblem problem = testing::planted(seed, 60, {0, 100}, 9'999);
    problem.buffers.push_back({.lifetime = {0, 100}, .size = 1});  // one part
    const OnePart c(std::move(problem));
    ASSERT_GT(c.layout.height, 15'000);
    EjectionPool search(c.instance(), seed);
    Meter meter(Limits::within_steps(20'000));
    EXPECT_TRUE(search.run(10'500 / c.instances.unit, &meter)) << seed;
    EXPECT_LE(c.in_bytes(search.offsets()).height, 10'500);
  }
}

}  // namespace
}  // namespace lowtide
