// Undoing cuts: what is packed joined is packed apart, and what was cut is found.
#include "lowtide/layout/search/rejoin.h"

#include <gtest/gtest.h>

#include <random>

#include "lowtide/layout/search/perfect_search.h"
#include "lowtide/layout/search/ranking.h"
#include "lowtide/model/layout_bounds.h"
#include "lowtide/verify/layout_verifier.h"
#include "support/brute_force.h"
#include "support/full_problem.h"
#include "support/long_tests.h"
#include "support/planted.h"

namespace lowtide {
namespace {

Rejoin rejoined(const Instance& instance, std::uint64_t seed) {
  Meter meter{Limits()};
  const double most_accidents = seed % 3 == 0 ? 0.1 : seed % 3 == 1 ? 1 : 100;
  return Rejoin(instance, {.most_accidents = most_accidents, .noise = 1, .seed = seed}, &meter);
}

// Is what is left of each part after joining packed by the perfect search? If so the layout is
// checked, joints and all.
bool is_packed_joined(const LayoutProblem& problem, std::uint64_t seed) {
  const Instances instances = make_instances(problem);
  Layout layout;
  layout.offsets.assign(problem.buffers.size(), 0);
  for (const Instance& instance : instances.parts) {
    const Rejoin rejoin = rejoined(instance, seed);
    PerfectSearch search(rejoin.joined());
    Meter meter(Limits::within_steps(100'000));
    if (search.run(Ranking(rejoin.joined(), 0, seed), &meter) != Outcome::kFound) return false;
    const std::vector<Bytes> offsets = rejoin.offsets(search.offsets());
    for (std::size_t b = 0; b < instance.id.size(); ++b)
      layout.offsets[instance.id[b]] = offsets[b] * instances.unit;
  }
  layout.height = height_of(problem, layout.offsets);
  EXPECT_EQ(layout.height, load(problem));
  EXPECT_EQ(layout_error(problem, layout), "");
  return true;
}

TEST(Rejoin, PacksOnlyWhatCanBePacked) {
  std::uint64_t packed = 0, missed = 0;
  const std::uint64_t count = testing::cases(1000, 100'000);
  for (std::uint64_t seed = 0; seed < count && !HasFailure(); ++seed) {
    const LayoutProblem problem = testing::full_problem(seed);
    const bool can_be_packed = testing::optimal_height(problem) == load(problem);
    const bool is_packed = testing::is_full(problem) && is_packed_joined(problem, seed);
    ASSERT_TRUE(can_be_packed || !is_packed) << seed;
    packed += is_packed;
    missed += can_be_packed && !is_packed;
  }
  EXPECT_GT(packed, count / 20);
  EXPECT_LT(missed, packed / 4);  // by accidents, of which sizes up to 5 have many
}

// Large sizes don't agree by accident: all cuts are undone.
TEST(Rejoin, UndoesAllCutsWhereTheyShow) {
  std::size_t buffers = 0, left = 0;
  for (std::uint64_t seed = 0; seed < testing::cases(20, 500) && !HasFailure(); ++seed) {
    const auto problem = testing::planted(seed, 60, {0, 100'000}, 1'000'000'000);
    ASSERT_TRUE(is_packed_joined(problem, seed)) << seed;
    const Instances instances = make_instances(problem);
    for (const Instance& instance : instances.parts) {
      buffers += instance.size.size();
      left += rejoined(instance, 3 * seed + 2).joined().size.size() - 1;
    }
  }
  EXPECT_LT(left, buffers / 50);
}

TEST(Rejoin, PacksPlantedRectangles) {
  int packed = 0;
  const auto count = static_cast<int>(testing::cases(40, 1'000));
  for (int seed = 0; seed < count && !HasFailure(); ++seed)
    packed += is_packed_joined(
        testing::planted(static_cast<std::uint64_t>(seed), 100, {0, 300}, 1'000'000),
        static_cast<std::uint64_t>(seed));
  EXPECT_GT(packed, count / 2);
}

TEST(Rejoin, LeavesAlignedAndFixedBuffersAlone) {
  LayoutProblem problem;
  problem.buffers.push_back({.lifetime = {0, 1}, .size = 64, .alignment = 4});
  problem.buffers.push_back({.lifetime = {1, 2}, .size = 64, .alignment = 128});
  problem.buffers.push_back({.lifetime = {0, 2}, .size = 65});
  for (const Instance& instance : make_instances(problem).parts)
    EXPECT_EQ(rejoined(instance, 0).joined().num_buffers(), instance.num_buffers());
}

}  // namespace
}  // namespace lowtide
