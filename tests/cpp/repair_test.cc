// Repairs keep a layout valid whatever they try, never take it further above the capacity, and find
// room where there is some.
#include "lowtide/layout/search/repair.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

#include "lowtide/layout/greedy/heuristics.h"
#include "lowtide/model/layout_check.h"
#include "support/long_tests.h"
#include "support/planted.h"

namespace lowtide {
namespace {

// One part: the first buffer lives from beginning to end.
LayoutProblem random_problem(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto below = [&](std::uint64_t count) { return static_cast<Step>(random() % count); };
  LayoutProblem problem;
  problem.buffers.push_back({.lifetime = {0, 20}, .size = 1});
  if (seed % 3 == 0) problem.buffers.push_back({.lifetime = {3, 9}, .size = 5, .fixed_offset = 32});
  const auto count = 2 + below(40);
  for (Step i = 0; i < count; ++i) {
    const Step lower = below(19);
    problem.buffers.push_back({.lifetime = {lower, lower + 1 + below(20 - lower)},
                               .size = 1 + below(30),
                               .alignment = seed % 2 == 0 ? 1 : Bytes{1} << below(4)});
  }
  return problem;
}

struct Case {
  explicit Case(LayoutProblem given)
      : problem(std::move(given)),
        instances(make_instances(problem)),
        layout(has_fixed_offsets(problem)
                   ? fit_by_keys(problem, {BufferKey::kStart}, Fit::kLowest, Limits())
                   : stacked(problem)) {}

  const Instance& instance() const { return instances.parts.front(); }
  std::vector<Bytes> in_units(const Layout& of) const {
    std::vector<Bytes> offsets;
    for (BufferId b : instance().id) offsets.push_back(of.offsets[b] / instances.unit);
    return offsets;
  }
  Layout in_bytes(const std::vector<Bytes>& offsets) const {
    Layout made;
    made.offsets.assign(problem.buffers.size(), 0);
    for (std::size_t i = 0; i < offsets.size(); ++i)
      made.offsets[instance().id[i]] = offsets[i] * instances.unit;
    made.height = height_of(problem, made.offsets);
    return made;
  }
  // Bytes of buffers above the capacity, in units.
  Bytes excess(const Layout& of, Bytes capacity) const {
    Bytes sum = 0;
    for (BufferId b : problem.buffers.ids()) {
      const Bytes end = of.offsets[b] + problem.buffers[b].size;
      sum += std::max<Bytes>(0, end - std::max(of.offsets[b], capacity * instances.unit));
    }
    return sum;
  }

  LayoutProblem problem;
  Instances instances;
  Layout layout;
};

TEST(Repair, IsValidAtAnyTimeAndNeverFurtherAbove) {
  for (std::uint64_t seed = 0; seed < testing::cases(300, 20'000); ++seed) {
    const Case c(random_problem(seed));
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
  const Case c(random_problem(4));
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
    const Case c(std::move(problem));
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
