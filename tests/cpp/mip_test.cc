#include <gtest/gtest.h>

#include "lowtide/mip/highs.h"

namespace lowtide::mip {
namespace {

// maximise 5x + 4y + 3z under two knapsacks, integral: the LP optimum is not integral.
Model knapsack() {
  Model model;
  const Column x = model.add(Variable{.name = "x", .upper = 1, .integral = true, .objective = -5});
  const Column y = model.add(Variable{.name = "y", .upper = 1, .integral = true, .objective = -4});
  const Column z = model.add(Variable{.name = "z", .upper = 1, .integral = true, .objective = -3});
  model.add(Row{.name = "first", .terms = {{x, 2}, {y, 3}, {z, 1}}, .upper = 5});
  model.add(Row{.name = "second", .terms = {{x, 4}, {y, 1}, {z, 2}}, .upper = 5});
  return model;
}

class Highs : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!is_available()) GTEST_SKIP() << "built without HiGHS";
  }
};

TEST_F(Highs, SolvesAKnapsack) {
  const Answer answer = solve(knapsack(), Limits::within_seconds(60));
  ASSERT_EQ(answer.outcome, Outcome::kOptimal);
  EXPECT_NEAR(answer.objective, -9, 1e-6);
  EXPECT_NEAR(answer.bound, -9, 1e-6);
  EXPECT_NEAR(answer.values[0], 1, 1e-6);
  EXPECT_NEAR(answer.values[1], 1, 1e-6);
}

TEST_F(Highs, ProvesInfeasibility) {
  Model model = knapsack();
  model.add(Row{.name = "impossible", .terms = {{0, 1}, {1, 1}, {2, 1}}, .lower = 3});
  EXPECT_EQ(solve(model, Limits::within_seconds(60)).outcome, Outcome::kInfeasible);
}

TEST_F(Highs, ATimeoutIsNotInfeasible) {
  const Answer answer = solve(knapsack(), Limits::within_seconds(0));
  EXPECT_NE(answer.outcome, Outcome::kInfeasible);
}

TEST_F(Highs, IsCancellable) {
  const std::atomic<bool> cancelled = true;
  const Answer answer = solve(knapsack(), Limits().with_cancellation(&cancelled));
  EXPECT_NE(answer.outcome, Outcome::kInfeasible);
}

}  // namespace
}  // namespace lowtide::mip
