// The exact order without any one of its techniques, and the orders that follow a guide.
#include <gtest/gtest.h>

#include <algorithm>

#include "lowtide/model/lifetimes.h"
#include "lowtide/model/lower.h"
#include "lowtide/order/search/branch.h"
#include "lowtide/order/search/exact.h"
#include "lowtide/order/search/follow.h"
#include "lowtide/order/search/windows.h"
#include "lowtide/order/solvers.h"
#include "support/brute_force.h"
#include "support/long_tests.h"
#include "support/random_graph.h"

namespace lowtide {
namespace {

OrderProblem random_problem(std::uint64_t seed, int num_nodes, bool reuse) {
  return lower_order(testing::random_graph(seed, {.num_nodes = num_nodes}), reuse).problem;
}

void expect_legal(const OrderProblem& problem, const Schedule& order) {
  ASSERT_EQ(order.size(), problem.num_nodes());
  const auto step = steps_of(problem, order);
  for (NodeId v : problem.nodes())
    for (NodeId p : problem.predecessors[v]) ASSERT_LT(step[p], step[v]);
}

// No technique holds up another's mistake: right without it, and mostly proven all the same.
TEST(Techniques, EachMayBeMissing) {
  constexpr std::uint64_t kCases = 200;
  for (const Technique& without : kTechniques) {
    std::uint64_t proven = 0;
    const std::uint64_t cases = testing::cases(kCases, 100 * kCases);
    for (std::uint64_t seed = 0; seed < cases; ++seed) {
      const auto problem = random_problem(seed, 4 + static_cast<int>(seed % 9), seed % 3 == 2);
      const Bytes optimum = testing::optimal_peak(problem);
      const Limits limits = Limits::within_steps(200'000);
      const auto start = find_order_solver("given")->solve(problem, limits);
      const auto solution = exact_order(problem, start, limits, all_but(without));
      ASSERT_NO_FATAL_FAILURE(expect_legal(problem, solution.best())) << without.name;
      ASSERT_EQ(peak(problem, solution.best()), solution.value()) << without.name;
      ASSERT_LE(solution.bound(), optimum) << without.name << ' ' << seed;
      proven += solution.status() == Status::kOptimal;
    }
    EXPECT_GE(proven, cases * 99 / 100) << without.name;
  }
}

// Hardly any effort for the searches, and neither division nor contraction: branching decides. Some
// stay open, where no pair is left and the search gives up all the same.
TEST(Branch, AnswersAreRight) {
  std::uint64_t answered = 0;
  const std::uint64_t cases = testing::cases(1000, 100'000);
  Techniques use;
  use.division = use.follow = use.free_moves = use.commits = use.contraction = false;
  for (std::uint64_t seed = 0; seed < cases; ++seed) {
    const auto problem = random_problem(seed, 4 + static_cast<int>(seed % 9), seed % 3 == 2);
    const Bytes optimum = testing::optimal_peak(problem);
    const Bytes budget = optimum + static_cast<Bytes>(seed % 4) - 2;
    Meter meter{Limits()};
    const auto found = branch_within(problem, budget, program_order_of(problem), 20, &meter, use);
    answered += found.answer != Answer::kUnknown;
    if (found.answer == Answer::kNo) {
      ASSERT_GT(optimum, budget) << seed;
    }
    if (found.answer != Answer::kYes) continue;
    ASSERT_NO_FATAL_FAILURE(expect_legal(problem, found.schedule)) << seed;
    ASSERT_LE(peak(problem, found.schedule), budget) << seed;
  }
  EXPECT_GT(answered, cases / 2);
}

TEST(Follow, IsLegalFromBothEndsAtAnyBudget) {
  for (std::uint64_t seed = 0; seed < testing::cases(1000, 100'000); ++seed) {
    const bool reuse = seed % 3 == 2;
    const auto problem = random_problem(seed, 5 + static_cast<int>(seed % 30), reuse);
    const Schedule guide = program_order_of(problem);
    const Bytes budget = peak(problem, guide) * static_cast<Bytes>(seed % 5) / 4;
    for (const Direction direction : {Direction::kForward, Direction::kBackward}) {
      if (reuse && direction == Direction::kBackward) continue;
      Meter meter{Limits()};
      const auto order = follow(problem, guide, {budget}, direction, &meter);
      ASSERT_NO_FATAL_FAILURE(expect_legal(problem, *order)) << seed;
      const Bytes value = peak(problem, *order);
      ASSERT_FALSE(follow(problem, guide, {budget, value}, direction, &meter)) << seed;
      ASSERT_EQ(follow(problem, guide, {budget, value + 1}, direction, &meter), order) << seed;
    }
  }
}

// An order that fits its budget is followed as it is, but for free moves: it still fits.
TEST(Follow, KeepsWhatFits) {
  for (std::uint64_t seed = 0; seed < testing::cases(1000, 100'000); ++seed) {
    const auto problem = random_problem(seed, 5 + static_cast<int>(seed % 30), false);
    const Schedule guide = program_order_of(problem);
    const Bytes budget = peak(problem, guide);
    for (const Direction direction : {Direction::kForward, Direction::kBackward}) {
      Meter meter{Limits()};
      Schedule ranking = guide;
      if (direction == Direction::kBackward) std::reverse(ranking.begin(), ranking.end());
      ASSERT_LE(peak(problem, *follow(problem, ranking, {budget}, direction, &meter)), budget)
          << seed;
    }
  }
}

TEST(Follow, StopsAtTheMeter) {
  const auto problem = random_problem(1, 40, false);
  Meter meter{Limits::within_steps(5)};
  EXPECT_FALSE(follow(problem, program_order_of(problem), {0}, Direction::kForward, &meter));
}

// Legal and lower, or nothing; on most graphs of this kind something.
TEST(Windows, LowerOrLeaveAlone) {
  std::uint64_t better = 0;
  const std::uint64_t cases = testing::cases(100, 5000);
  for (std::uint64_t seed = 0; seed < cases; ++seed) {
    const auto problem = random_problem(seed, 40 + static_cast<int>(seed % 80), seed % 3 == 2);
    const Schedule order = program_order_of(problem);
    Meter meter{Limits::within_steps(2'000'000)};
    const auto found = improve_in_windows(problem, order, 20'000, &meter);
    if (!found) continue;
    ++better;
    ASSERT_NO_FATAL_FAILURE(expect_legal(problem, *found)) << seed;
    ASSERT_LT(peak(problem, *found), peak(problem, order)) << seed;
  }
  EXPECT_GE(better, cases / 2);
}

}  // namespace
}  // namespace lowtide
