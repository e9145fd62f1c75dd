// Repairs keep a layout valid whatever they try, never take it further above the capacity, and find
// room where there is some.
#include "lowtide/layout/search/repair.h"

#include <gtest/gtest.h>

#include "lowtide/verify/layout_verifier.h"
#include "support/long_tests.h"
#include "support/one_part.h"
#include "support/planted.h"

namespace lowtide {
namespace {

using testing::OnePart;
using testing::random_part;

TEST(Repair, IsValidAtAnyTimeAndNeverFurtherAbove) {
  for (std::uint64_t seed = 0; seed < testing::cases(300, 20'000); ++seed) {
    const OnePart c(random_part(seed));
    const Bytes capacity = c.instance().max_load + static_cast<Bytes>(seed % 4);
    const auto style = seed % 2 == 0 ? Repair::Style::kMixed : Repair::Style::kSummit;
    Repair repair(c.instance(), style, seed);
    repair.start(c.in_units(c.layout));
    Bytes before = c.excess(c.layout, capacity);
    for (int part = 0; part < 5; ++part) {
      Meter meter(Limits::within_steps(200));
      const bool found = repair.run(capacity, &meter);
      const Layout layout = c.in_bytes(repair.offsets());
      ASSERT_EQ(layout_error(c.problem, layout), "") << seed;
      ASSERT_LE(c.excess(layout, capacity), before) << seed;
      before = c.excess(layout, capacity);
      ASSERT_EQ(found, before == 0) << seed;
    }
  }
}

TEST(Repair, IsAFunctionOfItsArguments) {
  const OnePart c(random_part(4));
  const auto run = [&](std::uint64_t seed) {
    Repair repair(c.instance(), Repair::Style::kMixed, seed);
    repair.start(c.in_units(c.layout));
    Meter meter(Limits::within_steps(1000));
    repair.run(c.instance().max_load, &meter);
    return repair.offsets();
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
}

// All stacked, twice as high as need be.
TEST(Repair, FindsRoom) {
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    LayoutProblem problem = testing::planted(seed, 60, {0, 100}, 9'999);
    problem.buffers.push_back({.lifetime = {0, 100}, .size = 1});  // one part
    const OnePart c(std::move(problem));
    ASSERT_GT(c.layout.height, 15'000);
    Repair repair(c.instance(), Repair::Style::kMixed, seed);
    repair.start(c.in_units(c.layout));
    Meter meter(Limits::within_steps(200'000));
    EXPECT_TRUE(repair.run(12'500 / c.instances.unit, &meter)) << seed;
    EXPECT_LE(c.in_bytes(repair.offsets()).height, 12'500);
  }
}

}  // namespace
}  // namespace lowtide
