// The paper's address program and its pre-placement. The model is tested without a solver: by the
// points that layouts stand for, and by trying all values of its binaries.
#include <gtest/gtest.h>

#include <random>

#include "lowtide/layout/greedy/heuristics.h"
#include "lowtide/layout/greedy/pyramid.h"
#include "lowtide/layout/program/address_program.h"
#include "lowtide/layout/program/ilp.h"
#include "lowtide/layout/solvers.h"
#include "lowtide/mip/highs.h"
#include "lowtide/model/layout_bounds.h"
#include "lowtide/verify/layout_verifier.h"
#include "support/brute_force.h"
#include "support/long_tests.h"
#include "support/mip_point.h"

namespace lowtide {
namespace {

using testing::broken_by;

LayoutProblem random_problem(std::uint64_t seed, std::size_t most, bool aligned) {
  std::mt19937_64 random(seed);
  LayoutProblem problem;
  const std::size_t count = 1 + random() % most;
  for (std::size_t i = 0; i < count; ++i) {
    const Step lower = static_cast<Step>(random() % 5);
    Buffer buffer{.lifetime = {lower, lower + 1 + static_cast<Step>(random() % 4)},
                  .size = 1 + static_cast<Bytes>(random() % 6)};
    if (aligned) buffer.alignment = Bytes{1} << (random() % 3);
    problem.buffers.push_back(buffer);
  }
  return problem;
}

LayoutProblem staircase() {  // 2 and 1 meet 3, not each other
  LayoutProblem problem;
  problem.buffers.push_back({.lifetime = {0, 2}, .size = 20});
  problem.buffers.push_back({.lifetime = {1, 3}, .size = 30});
  problem.buffers.push_back({.lifetime = {2, 4}, .size = 10});
  return problem;
}

std::vector<Bytes> in_units(const Instances& instances, const Instance& instance,
                            const Layout& layout) {
  std::vector<Bytes> offsets;
  for (BufferId b : instance.id) offsets.push_back(layout.offsets[b] / instances.unit);
  return offsets;
}

TEST(LayoutIlp, SaysWhatThePaperSays) {
  const Instances instances = make_instances(staircase());
  ASSERT_EQ(instances.unit, 10);
  ASSERT_EQ(instances.parts.size(), 1u);
  const AddressProgram ilp = build_address_program(instances.parts[0], {.capacity = 6});
  EXPECT_EQ(ilp.pairs.size(), 2u);                    // never for 2 and 1
  EXPECT_EQ(ilp.model.variables.size(), 1u + 3 + 2);  // height, offsets, pairs
  EXPECT_EQ(ilp.model.rows.size(), 3u + 2 * 2);       // tops, both ways of each pair
  const mip::Variable& height = ilp.model.variables[0];
  EXPECT_EQ(height.lower, 5);  // the load
  EXPECT_EQ(height.upper, 6);
  EXPECT_EQ(ilp.model.variables[static_cast<std::size_t>(ilp.offset[1])].upper, 6 - 3);
}

// Tells visit(instance, offsets, seed) of the parts of random problems, each at its optimum.
template <class Visit>
void for_each_part_at_its_best(const Visit& visit) {
  for (std::uint64_t seed = 0; seed < testing::cases(300, 20'000); ++seed) {
    const LayoutProblem problem = random_problem(seed, 7, seed % 2 == 1);
    const Instances instances = make_instances(problem);
    const auto best = find_layout_solver("exact")->solve(problem, Limits());
    for (const Instance& instance : instances.parts)
      visit(instance, in_units(instances, instance, best.best()), seed);
  }
}

TEST(LayoutIlp, HoldsTheOptimumAndRefusesOverlaps) {
  for_each_part_at_its_best(
      [](const Instance& instance, const std::vector<Bytes>& offsets, std::uint64_t seed) {
        const AddressProgram ilp = build_address_program(
            instance, {.capacity = height_of(instance, offsets)}, {.break_symmetry = false});
        const auto point = encode(ilp, instance, offsets);
        EXPECT_EQ(broken_by(ilp.model, point), "") << seed;
        const auto decoded = decode(ilp, instance, point);
        EXPECT_LE(height_of(instance, decoded), height_of(instance, offsets)) << seed;
        if (ilp.pairs.empty()) return;
        auto overlapping = offsets;  // the first two that meet, both at the bottom
        const AddressProgram::Pair& pair = ilp.pairs[0];
        overlapping[static_cast<std::size_t>(pair.below)] =
            overlapping[static_cast<std::size_t>(pair.above)] = 0;
        EXPECT_NE(broken_by(ilp.model, encode(ilp, instance, overlapping)), "") << seed;
      });
}

// The least height over all values of the binaries that the model allows, by the decoder's offsets.
Bytes optimum_by_enumeration(const Instance& instance, Bytes capacity, AddressOptions options) {
  const AddressProgram ilp = build_address_program(instance, {.capacity = capacity}, options);
  Bytes best = kMaxBytes;
  for (std::uint32_t bits = 0; bits < (1u << ilp.pairs.size()); ++bits) {
    // Offsets by repeated raising; a cycle raises them above the capacity.
    std::vector<Bytes> offsets(instance.size.size(), 0);
    for (std::size_t round = 0; round <= offsets.size(); ++round)
      for (std::size_t p = 0; p < ilp.pairs.size(); ++p) {
        auto lower = static_cast<std::size_t>(ilp.pairs[p].below);
        auto upper = static_cast<std::size_t>(ilp.pairs[p].above);
        if (!((bits >> p) & 1)) std::swap(lower, upper);
        offsets[upper] = std::max(offsets[upper], offsets[lower] + instance.size[lower]);
      }
    std::vector<double> point(ilp.model.variables.size(), 0);
    for (std::size_t b = 0; b < offsets.size(); ++b)
      point[static_cast<std::size_t>(ilp.offset[b])] = static_cast<double>(offsets[b]);
    for (std::size_t p = 0; p < ilp.pairs.size(); ++p)
      point[static_cast<std::size_t>(ilp.pairs[p].column)] = (bits >> p) & 1;
    const Bytes height = std::max(height_of(instance, offsets), instance.max_load);
    point[static_cast<std::size_t>(ilp.height)] = static_cast<double>(height);
    if (broken_by(ilp.model, point).empty()) best = std::min(best, height);
  }
  return best;
}

TEST(LayoutIlp, ItsOptimumIsTheLeastHeight) {
  for (std::uint64_t seed = 0; seed < testing::cases(300, 20'000); ++seed) {
    const LayoutProblem problem = random_problem(seed, 5, false);
    const Instances instances = make_instances(problem);
    Bytes stacked = 0;
    for (const Buffer& buffer : problem.buffers) stacked += buffer.size;
    for (const bool symmetry : {false, true}) {
      Bytes height = 0;
      for (const Instance& instance : instances.parts)
        height = std::max(height, optimum_by_enumeration(instance, stacked / instances.unit,
                                                         {.break_symmetry = symmetry}));
      EXPECT_EQ(height * instances.unit, testing::optimal_height(problem)) << seed << symmetry;
    }
  }
}

TEST(LayoutIlp, DecodesWhatASolverRounds) {
  const Instances instances = make_instances(staircase());
  const Instance& instance = instances.parts[0];
  const AddressProgram ilp =
      build_address_program(instance, {.capacity = 6}, {.break_symmetry = false});
  std::vector<double> values(ilp.model.variables.size(), 0);
  for (const AddressProgram::Pair& pair : ilp.pairs)  // buffer 1 on top of both, nearly
    values[static_cast<std::size_t>(pair.column)] = pair.above == 1 ? 1 - 1e-7 : 1e-7;
  EXPECT_EQ(decode(ilp, instance, values), (std::vector<Bytes>{0, 2, 0}));
}

TEST(LayoutIlp, DecodesNothingFromACircle) {
  LayoutProblem problem;
  for (int i = 0; i < 3; ++i) problem.buffers.push_back({.lifetime = {0, 1}, .size = 1 + i});
  const Instances instances = make_instances(problem);
  const AddressProgram program =
      build_address_program(instances.parts[0], {.capacity = 6}, {.break_symmetry = false});
  std::vector<double> values(program.model.variables.size(), 0);
  for (const AddressProgram::Pair& pair : program.pairs)  // 0 below 1, 1 below 2, 2 below 0
    values[static_cast<std::size_t>(pair.column)] = pair.above - pair.below == 1;
  EXPECT_TRUE(decode(program, instances.parts[0], values).empty());
}

TEST(LayoutIlp, SolvesToTheOptimum) {
  if (!mip::is_available()) GTEST_SKIP() << "built without HiGHS";
  for (std::uint64_t seed = 0; seed < testing::cases(60, 2'000); ++seed) {
    LayoutProblem problem = random_problem(seed, 7, seed % 2 == 1);
    const Bytes optimum = testing::optimal_height(problem);
    const Layout incumbent = stacked(problem);
    const auto solution = ilp_layout(problem, incumbent, Limits());
    ASSERT_EQ(layout_error(problem, solution.best()), "") << seed;
    EXPECT_EQ(solution.value(), optimum) << seed;
    EXPECT_EQ(solution.status(), Status::kOptimal) << seed;
    problem.capacity = optimum - 1;
    EXPECT_EQ(ilp_layout(problem, incumbent, Limits()).status(), Status::kInfeasible) << seed;
  }
}

// Instances of more pairs than one program takes at first: groups join, with the order kept.
// Planted so that the load can be met; the answer is right whatever the growth does.
LayoutProblem planted_problem(std::uint64_t seed, int columns) {
  std::mt19937_64 random(seed);
  LayoutProblem problem;
  constexpr Bytes kHeight = 60;
  for (int column = 0; column < columns; ++column) {
    const Step begin = 4 * column;
    for (Bytes floor = 0; floor < kHeight;) {
      const Bytes size = std::min<Bytes>(kHeight - floor, 1 + static_cast<Bytes>(random() % 9));
      problem.buffers.push_back(
          {.lifetime = {begin, begin + 4 + static_cast<Step>(random() % 2)}, .size = size});
      floor += size;
    }
  }
  return problem;
}

TEST(LayoutIlp, GrowsToAllBuffers) {
  if (!mip::is_available()) GTEST_SKIP() << "built without HiGHS";
  for (std::uint64_t seed = 0; seed < testing::cases(3, 30); ++seed) {
    const LayoutProblem problem = planted_problem(seed, 6);
    const auto search =
        find_layout_solver("exact")->solve(problem, Limits::within_steps(1'000'000));
    const auto solution = ilp_layout(problem, stacked(problem), Limits::within_steps(20'000'000));
    ASSERT_EQ(layout_error(problem, solution.best()), "") << seed;
    EXPECT_LT(solution.value(), stacked(problem).height) << seed;
    EXPECT_GE(solution.value(), search.bound()) << seed;
    EXPECT_LE(solution.bound(), search.value()) << seed;
  }
}

TEST(LayoutIlp, ASubsetOfAnInstanceMeetsWhereTheWholeDoes) {
  for (std::uint64_t seed = 0; seed < testing::cases(300, 20'000); ++seed) {
    const Instances instances = make_instances(random_problem(seed, 9, seed % 2 == 1));
    const Instance& whole = instances.parts[0];
    std::vector<int> chosen;
    for (int b = whole.num_buffers() - 1; b >= 0; --b)
      if ((seed >> (b % 3)) % 2 == 0) chosen.push_back(b);
    const Instance part = subset(whole, chosen);
    ASSERT_EQ(part.size.size(), chosen.size());
    const auto meet = [](const Instance& instance, std::size_t a, std::size_t b) {
      return instance.range[a].first <= instance.range[b].last &&
             instance.range[b].first <= instance.range[a].last;
    };
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      const auto b = static_cast<std::size_t>(chosen[i]);
      EXPECT_EQ(part.size[i], whole.size[b]);
      EXPECT_EQ(part.id[i], whole.id[b]);
      for (std::size_t k = 0; k < i; ++k)
        EXPECT_EQ(meet(part, i, k), meet(whole, b, static_cast<std::size_t>(chosen[k]))) << seed;
    }
    EXPECT_LE(part.max_load, whole.max_load);
    EXPECT_LE(part.num_sections(), std::max(1, part.num_buffers()));
  }
}

// A known order is kept, and is no more than that: the optimum's own order leaves the optimum.
TEST(LayoutIlp, KeepsAKnownOrder) {
  for_each_part_at_its_best(
      [](const Instance& instance, const std::vector<Bytes>& offsets, std::uint64_t seed) {
        const Bytes height = height_of(instance, offsets);
        AddressOptions options;
        for (const AddressProgram::Pair& pair :
             build_address_program(instance, {.capacity = height}).pairs) {
          const bool as_named = offsets[static_cast<std::size_t>(pair.below)] <
                                offsets[static_cast<std::size_t>(pair.above)];
          options.known_below.emplace_back(as_named ? pair.below : pair.above,
                                           as_named ? pair.above : pair.below);
        }
        const auto program =
            build_address_program(instance, {.target = height, .capacity = height}, options);
        auto point = encode(program, instance, offsets);
        point[static_cast<std::size_t>(program.height)] = static_cast<double>(height);
        EXPECT_EQ(broken_by(program.model, point), "") << seed;
        for (const AddressProgram::Pair& pair : program.pairs) {
          auto turned = point;
          double& binary = turned[static_cast<std::size_t>(pair.column)];
          binary = 1 - binary;
          EXPECT_NE(broken_by(program.model, turned), "") << seed;
        }
      });
}

TEST(Pyramid, StacksWhatIsNested) {
  LayoutProblem problem;
  problem.buffers.push_back({.lifetime = {3, 4}, .size = 7});  // 0: on top
  problem.buffers.push_back({.lifetime = {0, 9}, .size = 1});  // 1: the base
  problem.buffers.push_back({.lifetime = {1, 7}, .size = 2});  // 2
  problem.buffers.push_back({.lifetime = {6, 9}, .size = 3});  // 3: crosses 2
  problem.buffers.push_back({.lifetime = {2, 6}, .size = 0});  // 4: takes no room
  problem.buffers.push_back({.lifetime = {2, 6}, .size = 4, .fixed_offset = 50});
  const std::vector<BufferId> pyramid = {BufferId(1), BufferId(2), BufferId(0)};
  EXPECT_EQ(base_pyramid(problem), pyramid);
  EXPECT_EQ(pyramid_order(problem).size(), problem.buffers.size());
  const auto layout = find_layout_solver("pyramid")->solve(problem, Limits()).best();
  EXPECT_EQ(layout_error(problem, layout), "");
  EXPECT_EQ(layout.offsets[BufferId(1)], 0);
  EXPECT_EQ(layout.offsets[BufferId(2)], 1);
  EXPECT_EQ(layout.offsets[BufferId(0)], 3);
  EXPECT_EQ(layout.offsets[BufferId(3)], 3);  // beside the tip
}

}  // namespace
}  // namespace lowtide
