#include <gtest/gtest.h>

#include <cmath>

#include "lowtide/mip/highs.h"
#include "lowtide/mip/lp_text.h"

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

// Every kind of row, bound and name that the format has a way of its own for.
TEST(LpText, IsWhatAPersonWouldWrite) {
  Model model;
  const Column peak = model.add(Variable{.name = "peak", .integral = true, .objective = 1});
  const Column x = model.add(Variable{.name = "conv 1.x", .upper = 1, .integral = true});
  const Column y = model.add(Variable{.name = "conv_1_x", .upper = 1});
  const Column z = model.add(Variable{.name = "2", .lower = -kInfinity, .upper = 5});
  const Column one = model.add(Variable{.name = "one", .lower = 1, .upper = 1});
  model.add(Row{.name = "once", .terms = {{x, 1}, {y, 1}}, .lower = 1, .upper = 1});
  model.add(Row{.name = "peak", .terms = {{x, 4096}, {y, 0.5}, {peak, -1}}, .upper = 0});
  model.add(Row{.name = "both", .terms = {{z, 2}, {one, 1}}, .lower = -3, .upper = 8});
  EXPECT_EQ(lp_text(model, "tiny"), R"(\ tiny
Minimize
 objective: peak
Subject To
 once: conv_1_x + conv_1_x_2 = 1
 peak: 4096 conv_1_x + 0.5 conv_1_x_2 - peak <= 0
 both: 2 x2 + one <= 8
 both_2: 2 x2 + one >= -3
Bounds
 0 <= conv_1_x_2 <= 1
 -inf <= x2 <= 5
 one = 1
General
 peak
Binary
 conv_1_x
End
)");
}

class Highs : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!is_available()) GTEST_SKIP() << "built without HiGHS";
  }
};

TEST_F(Highs, IsAskedNothingBeyondItsNumbers) {
  for (const double number : {kLargest, 2 * kLargest, 1e15, 1e18, 1e300}) {
    Model bounded, scaled;
    const Column x = bounded.add(Variable{.name = "x", .lower = number, .objective = 1});
    const Column y = scaled.add(Variable{.name = "y", .integral = true, .objective = 1});
    bounded.add(Row{.name = "any", .terms = {{x, 1}}, .lower = 0});
    scaled.add(Row{.name = "large", .terms = {{y, number}}, .lower = 1});
    for (const Model& model : {bounded, scaled}) {
      EXPECT_EQ(is_in_range(model), number == kLargest) << number;
      EXPECT_EQ(solve(model, Limits()).outcome,
                number == kLargest ? Outcome::kOptimal : Outcome::kUnknown)
          << number;
    }
  }
}

TEST(ProvenBytes, AreMultiplesWithinWhatWasFound) {
  EXPECT_EQ(proven_bytes(2.5, 1e-6, 64, 1000), 192);
  EXPECT_EQ(proven_bytes(3.0000001, 1e-6, 64, 1000), 192);
  EXPECT_EQ(proven_bytes(99, 1e-6, 64, 1000), 1000);
  EXPECT_EQ(proven_bytes(1e300, 1e-6, 64, 1000), 1000);
  for (const double nothing : {-0.5, -1e300, kInfinity, -kInfinity, std::nan("")})
    EXPECT_EQ(proven_bytes(nothing, 1e-6, 64, 1000), 0) << nothing;
}

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

// A market split: two equations that hardly ever hold; no relaxation helps, so the tree is large.
Model market_split(int columns) {
  Model model;
  Row rows[2];
  double total[2] = {0, 0};
  for (int i = 0; i < columns; ++i) {
    const Column x = model.add(Variable{.name = "x", .upper = 1, .integral = true});
    for (int k = 0; k < 2; ++k) {
      const double weight = (i * 7919 + k * 104729 + i * i * 31) % 1000;
      rows[k].terms.emplace_back(x, weight);
      total[k] += weight;
    }
  }
  for (int k = 0; k < 2; ++k) {
    const Column over = model.add(Variable{.name = "off", .objective = 1});
    const Column under = model.add(Variable{.name = "off", .objective = 1});
    rows[k].terms.emplace_back(over, -1);
    rows[k].terms.emplace_back(under, 1);
    rows[k].lower = rows[k].upper = std::floor(total[k] / 2) + 0.5;
    model.add(rows[k]);
  }
  return model;
}

class Heard : public ProgressSink {
 public:
  void improved(Bytes value, Bytes bound) override {
    EXPECT_LE(bound, value);
    values.push_back(value);
  }
  std::vector<Bytes> values;
};

TEST_F(Highs, TellsItsProgressInBytes) {
  Heard heard;
  Model model = market_split(30);
  model.objective_bytes = 1000;
  const Limits limits = Limits::within_steps(200'000).with_progress(&heard);
  const Answer answer = solve(model, limits);
  ASSERT_FALSE(answer.values.empty());
  ASSERT_FALSE(heard.values.empty());
  EXPECT_EQ(heard.values.back(), std::llround(answer.objective * 1000));
}

TEST_F(Highs, KeepsItsBudgetOfSteps) {
  const Answer few = solve(market_split(40), Limits::within_steps(100'000));
  EXPECT_EQ(few.outcome, Outcome::kFeasible);
  EXPECT_LT(few.bound, few.objective);
  EXPECT_EQ(few.values, solve(market_split(40), Limits::within_steps(100'000)).values);
}

TEST_F(Highs, StartsFromAGivenPoint) {
  const std::vector<double> optimum = {1, 1, 0};
  const Answer answer = solve(knapsack(), Limits::within_seconds(60), optimum);
  EXPECT_EQ(answer.outcome, Outcome::kOptimal);
  EXPECT_NEAR(answer.objective, -9, 1e-6);
}

}  // namespace
}  // namespace lowtide::mip
