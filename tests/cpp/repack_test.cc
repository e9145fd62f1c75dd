// Where the split (an optimal order, then its best layout) is worse than the paper's equation 9,
// and what the planner does about it. Judged by brute force: all orders, each laid out exactly.
#include "lowtide/planner/repack.h"

#include <gtest/gtest.h>

#include "lowtide/graph/error.h"
#include "lowtide/layout/shapes.h"
#include "lowtide/mip/highs.h"
#include "lowtide/model/lifetimes.h"
#include "lowtide/planner/planner.h"
#include "lowtide/verify/layout_verifier.h"
#include "support/brute_force.h"
#include "support/every_order.h"
#include "support/long_tests.h"
#include "support/random_graph.h"
#include "support/split_graphs.h"

namespace lowtide {
namespace {

using testing::for_every_order;
using testing::strict_graph;
using testing::unlucky_graph;

Packing packed(const OrderProblem& problem, const Schedule& schedule, Bytes alignment = 1) {
  return pack(problem, schedule, alignment, *find_layout_solver("exact"), Limits());
}

TEST(Split, CanBeUnlucky) {
  const OrderProblem problem = lower_order(unlucky_graph()).problem;
  ASSERT_EQ(testing::optimal_peak(problem), 8);
  EXPECT_EQ(testing::optimal_arena(problem, 1), 8);
  int unlucky = 0;
  for_every_order(problem, [&](const Schedule& schedule) {
    if (peak(problem, schedule) > 8) return;
    const Packing start = packed(problem, schedule);
    if (start.layout.value() == 8) return;
    ++unlucky;
    const auto better = repack(problem, start, {.budget = 8, .arena = 8, .alignment = 1}, Limits());
    ASSERT_TRUE(better);
    EXPECT_EQ(better->layout.value(), 8);
    EXPECT_EQ(peak(problem, better->schedule), 8);
    EXPECT_EQ(layout_error(better->placing.request, better->layout.best()), "");
  });
  EXPECT_GT(unlucky, 0);
}

TEST(Split, CanBeWorseWhateverTheOptimalOrder) {
  const OrderProblem problem = lower_order(strict_graph()).problem;
  EXPECT_EQ(testing::optimal_peak(problem), 10);
  EXPECT_EQ(testing::optimal_arena(problem, 1, 10), 12);
  EXPECT_EQ(testing::optimal_arena(problem, 1), 11);
}

TEST(Repack, KeepsThePeakOfThePlan) {
  const PlanOutcome outcome = plan(strict_graph(), {.alignment = 1});
  EXPECT_EQ(outcome.plan.peak_bytes, 10);
  EXPECT_EQ(outcome.plan.arena_bytes, 12);
  EXPECT_EQ(outcome.plan.order_status, Status::kOptimal);
  EXPECT_EQ(plan(unlucky_graph(), {.alignment = 1}).plan.arena_bytes, 8);
}

TEST(Join, PlansTheLeastArena) {
  const PlanOutcome outcome = plan(strict_graph(), {.alignment = 1, .joint = true});
  EXPECT_EQ(outcome.plan.arena_bytes, 11);
  EXPECT_EQ(outcome.plan.peak_bytes, 11);
  EXPECT_EQ(outcome.plan.peak_lower_bound_bytes, 10);
  EXPECT_EQ(outcome.plan.order_status, Status::kFeasible);
  EXPECT_GE(outcome.joint_lower_bound_bytes, 10);
  EXPECT_EQ(outcome.joint_lower_bound_bytes, mip::is_available() ? 11 : 10);
  EXPECT_THROW(plan(strict_graph(), {.use_reuse = true, .joint = true}), InputError);
}

// Arena and bound around brute force's optimum.
TEST(Join, AgreesWithBruteForce) {
  int optimal = 0, all = 0;
  for (std::uint64_t seed = 0; seed < testing::cases(200, 20'000); ++seed) {
    const Graph graph = testing::random_graph(seed, {.num_nodes = 7, .max_bytes = 9});
    const Bytes alignment = seed % 2 == 0 ? 1 : 4;
    const Bytes optimum = testing::optimal_arena(lower_order(graph).problem, alignment);
    const PlanOutcome outcome = plan(graph, {.alignment = alignment, .joint = true});
    EXPECT_GE(outcome.plan.arena_bytes, optimum) << seed;
    EXPECT_LE(outcome.joint_lower_bound_bytes, optimum) << seed;
    ++all;
    optimal += outcome.plan.arena_bytes == optimum;
  }
  EXPECT_EQ(optimal, all);
}

// From any order: within the budget, lower than before, and never below what brute force knows.
TEST(Repack, FindsWhatBruteForceFinds) {
  int gaps = 0, closed = 0;
  for (std::uint64_t seed = 0; seed < testing::cases(400, 20'000); ++seed) {
    const Graph graph = testing::random_graph(seed, {.num_nodes = 7, .max_bytes = 9});
    const OrderProblem problem = lower_order(graph, seed % 2 == 1).problem;
    const Bytes alignment = seed % 3 == 0 ? 4 : 1;
    const Packing start = packed(problem, testing::random_schedule(graph, seed), alignment);
    const Bytes budget = peak(problem, start.schedule);
    const Bytes optimum = testing::optimal_arena(problem, alignment, budget);
    if (start.layout.value() == optimum) continue;
    ++gaps;
    const auto better = repack(
        problem, start, {.budget = budget, .arena = optimum, .alignment = alignment}, Limits());
    if (!better) continue;
    EXPECT_LE(peak(problem, better->schedule), budget) << seed;
    EXPECT_LT(better->layout.value(), start.layout.value()) << seed;
    EXPECT_GE(better->layout.value(), optimum) << seed;
    EXPECT_EQ(layout_error(better->placing.request, better->layout.best()), "") << seed;
    closed += better->layout.value() == optimum;
  }
  EXPECT_GT(gaps, 0);
  EXPECT_GE(closed, gaps * 98 / 100) << gaps;
}

TEST(Repack, IsDeterministic) {
  const Graph graph = testing::random_graph(7, {.num_nodes = 30});
  const OrderProblem problem = lower_order(graph).problem;
  const Packing start = packed(problem, program_order_of(problem));
  const RepackGoal goal{.budget = peak(problem, start.schedule), .arena = 0, .alignment = 1};
  const auto first = repack(problem, start, goal, Limits::within_steps(20'000));
  const auto second = repack(problem, start, goal, Limits::within_steps(20'000));
  ASSERT_EQ(first.has_value(), second.has_value());
  if (first) {
    EXPECT_EQ(first->schedule, second->schedule);
  }
}

}  // namespace
}  // namespace lowtide
