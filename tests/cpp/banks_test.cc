// Several memories against brute force over all assignments.
#include "lowtide/layout/banks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "lowtide/layout/banks/bank_bound.h"
#include "lowtide/layout/banks/bank_conflict.h"
#include "lowtide/model/excerpt.h"
#include "lowtide/model/request_faults.h"
#include "lowtide/verify/layout_verifier.h"
#include "support/brute_force.h"
#include "support/long_tests.h"

namespace lowtide {
namespace {

using ::testing::HasSubstr;

const LayoutSolver& automatic() { return *find_layout_solver("auto"); }

BankProblem random_problem(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto below = [&](std::uint64_t n) { return static_cast<std::int64_t>(random() % n); };
  BankProblem problem;
  const auto num_banks = static_cast<std::size_t>(1 + below(3));
  for (std::size_t k = 0; k < num_banks; ++k)
    problem.banks.push_back({"m" + std::to_string(k), below(9), below(4)});
  const auto count = static_cast<std::size_t>(1 + below(6));
  for (std::size_t i = 0; i < count; ++i) {
    const Step lower = below(6);
    Buffer buffer{.lifetime = {lower, lower + below(5)}, .size = below(5)};
    if (below(5) == 0) buffer.alignment = 2;
    if (below(12) == 0) buffer.fixed_offset = below(4);
    const BufferId b = problem.request.problem.buffers.push_back(buffer);
    if (below(5) == 0) problem.request.gaps.push_back({b, {lower + 1, lower + 2}});
    const BankSet all = (BankSet{1} << num_banks) - 1;
    const BankSet some = random() & all;
    problem.allowed.push_back(some == 0 ? all : some);
  }
  if (count > 1 && below(4) == 0)
    problem.request.ties.push_back(
        {below(2) == 0 ? Tie::kAlias : Tie::kAdjacent, BufferId(0), BufferId(count - 1)});
  return problem;
}

// The least cost over all assignments; -1 if none fits.
Bytes least_cost(const BankProblem& problem) {
  const std::size_t n = problem.allowed.size();
  IdVector<BufferId, int> bank_of(n, 0);
  Bytes least = -1;
  const auto try_from = [&](auto&& self, BufferId b, Bytes cost) -> void {
    if (b.index() == n) {
      for (const Tie& tie : problem.request.ties)
        if (bank_of[tie.first] != bank_of[tie.second]) return;
      if (least >= 0 && cost >= least) return;
      for (std::size_t k = 0; k < problem.banks.size(); ++k) {
        LayoutRequest request = request_for_bank(problem, bank_of, k);
        if (testing::optimal_height(request, problem.banks[k].size) == kMaxBytes) return;
      }
      least = cost;
      return;
    }
    for (std::size_t k = 0; k < problem.banks.size(); ++k) {
      if (((problem.allowed[b] >> k) & 1) == 0) continue;
      bank_of[b] = static_cast<int>(k);
      self(self, BufferId(b.index() + 1), cost + problem.cost(b, k));
    }
  };
  try_from(try_from, BufferId(0), 0);
  return least;
}

TEST(Banks, AgreeWithBruteForce) {
  int impossible = 0, spilled = 0;
  for (std::uint64_t seed = 0; seed < testing::cases(2000, 100'000); ++seed) {
    const BankProblem problem = random_problem(seed);
    if (find_fault(problem.request)) continue;
    ASSERT_EQ(bank_fault(problem), "");
    const auto solution = solve_banks(problem, automatic(), Limits::within_steps(10'000'000));
    const Bytes least = least_cost(problem);
    ASSERT_EQ(solution.status(), least < 0 ? Status::kInfeasible : Status::kOptimal) << seed;
    impossible += least < 0 ? 1 : 0;
    if (least < 0) continue;
    ASSERT_EQ(layout_error(problem, solution.best()), "") << seed;
    ASSERT_EQ(solution.value(), least) << seed;
    spilled += least > 0 ? 1 : 0;
  }
  EXPECT_GT(impossible, 100);
  EXPECT_GT(spilled, 100);
}

// Stopped anywhere: what is claimed is still true.
TEST(Banks, ClaimsHoldWhenStopped) {
  for (std::uint64_t seed = 0; seed < testing::cases(500, 20'000); ++seed) {
    const BankProblem problem = random_problem(seed);
    if (find_fault(problem.request)) continue;
    const Bytes least = least_cost(problem);
    for (const std::int64_t steps : {0, 2, 1005, 3010}) {
      const auto solution = solve_banks(problem, automatic(), Limits::within_steps(steps));
      if (solution.status() == Status::kInfeasible) {
        ASSERT_LT(least, 0) << seed << ' ' << steps;
        continue;
      }
      if (least >= 0) {
        ASSERT_LE(solution.bound(), least) << seed << ' ' << steps;
      }
      if (!solution.has_value()) continue;
      ASSERT_EQ(layout_error(problem, solution.best()), "") << seed << ' ' << steps;
      ASSERT_GE(solution.value(), least) << seed << ' ' << steps;
    }
  }
}

// The buffers of a conflict can't be placed together; irreducible ones fit without any of them.
TEST(Banks, ConflictsAreTrue) {
  int by_step = 0, by_search = 0, irreducible = 0;
  for (std::uint64_t seed = 0; seed < testing::cases(2000, 50'000); ++seed) {
    const BankProblem problem = random_problem(seed);
    if (find_fault(problem.request) || least_cost(problem) >= 0) continue;
    const BankConflict conflict = explain_banks(problem, Limits());
    const auto least_without = [&](BufferId left_out) {
      std::vector<BufferId> kept;
      for (BufferId b : conflict.buffers)
        if (b != left_out) kept.push_back(b);
      BankProblem part{
          .request = excerpt(problem.request, kept), .banks = problem.banks, .allowed = {}};
      part.allowed.assign(part.request.problem.buffers.size(), problem.all_banks());
      for (std::size_t i = 0; i < kept.size(); ++i)
        part.allowed[BufferId(i)] = problem.allowed[kept[i]];
      return least_cost(part);
    };
    ASSERT_LT(least_without(BufferId::none()), 0) << seed;
    ++(conflict.step ? by_step : by_search);
    if (!conflict.irreducible) continue;
    ++irreducible;
    for (BufferId b : conflict.buffers) ASSERT_GE(least_without(b), 0) << seed;
  }
  EXPECT_GT(by_step, 100);
  EXPECT_GT(by_search, 8);
  EXPECT_GT(irreducible, 100);
}

// No prices bound above what brute force finds, whatever the steps; often they are the best bound.
TEST(Banks, PricesAreALowerBound) {
  int tight = 0;
  for (std::uint64_t seed = 0; seed < testing::cases(2000, 100'000); ++seed) {
    const BankProblem problem = random_problem(seed);
    if (find_fault(problem.request)) continue;
    const Bytes least = least_cost(problem);
    const BankItems items(problem);
    if (least < 0) continue;
    BankPrices prices(items, problem.banks);
    for (const std::int64_t steps : {3, 10, 1000}) {
      Meter meter(Limits::within_steps(steps));
      prices.improve(seed % 2 == 0 ? std::optional(least + 3) : std::nullopt, &meter);
      ASSERT_LE(prices.bound(prices.sum_of_least(items.allowed)), least) << seed;
    }
    tight += least > 0 && prices.bound(prices.sum_of_least(items.allowed)) == least;
  }
  EXPECT_GT(tight, 100);
}

BankProblem many(int count, Bytes fast) {
  BankProblem problem;
  problem.banks = {{"SRAM", fast, 0}, {"PSRAM", 1 << 20, 1}};
  for (int i = 0; i < count; ++i) {
    problem.request.problem.buffers.push_back(
        {.lifetime = {i, i + 3 + i % 5}, .size = 16 * (1 + (i * 7) % 11), .alignment = 16});
    problem.allowed.push_back(i % 10 == 3 ? 2 : 3);
  }
  return problem;
}

TEST(Banks, LargerOnesGetAnAnswerAndABound) {
  for (const Bytes fast : {256, 400, 512}) {
    const BankProblem problem = many(200, fast);
    const auto solution = solve_banks(problem, automatic(), Limits::within_steps(40'000));
    ASSERT_TRUE(solution.has_value()) << fast;
    EXPECT_EQ(layout_error(problem, solution.best()), "") << fast;
    EXPECT_GT(solution.bound(), solution.value() / 10 * 7) << fast;
    EXPECT_EQ(solve_banks(problem, automatic(), Limits::within_steps(40'000)).best().offsets,
              solution.best().offsets);
  }
}

// One corruption per kind of error.
TEST(LayoutVerifier, CatchesEveryKindInBanks) {
  BankProblem problem;
  problem.banks = {{"SRAM", 8, 0}, {"PSRAM", 100, 2}};
  problem.request.problem.buffers = {{.lifetime = {0, 4}, .size = 6},
                                     {.lifetime = {0, 4}, .size = 5},
                                     {.lifetime = {0, 4}, .size = 2}};
  problem.request.ties = {{Tie::kAdjacent, BufferId(0), BufferId(2)}};
  problem.allowed = {1, 3, 3};
  const BankLayout right{.bank = {0, 1, 0}, .offsets = {0, 0, 6}, .heights = {8, 5}, .cost = 10};
  EXPECT_EQ(layout_error(problem, right), "");
  const auto error_of = [&](auto spoil) {
    BankLayout layout = right;
    spoil(layout);
    return layout_error(problem, layout);
  };
  EXPECT_THAT(error_of([](BankLayout& l) { l.bank[BufferId(0)] = 1; }), HasSubstr("may not be"));
  EXPECT_THAT(error_of([](BankLayout& l) { l.bank[BufferId(1)] = 2; }), HasSubstr("may not be"));
  EXPECT_THAT(error_of([](BankLayout& l) { l.bank[BufferId(2)] = 1; }), HasSubstr("another bank"));
  EXPECT_THAT(error_of([](BankLayout& l) { l.bank[BufferId(1)] = 0; }), HasSubstr("'SRAM': "));
  EXPECT_THAT(error_of([](BankLayout& l) { l.offsets[BufferId(1)] = 96; }), HasSubstr("'PSRAM': "));
  EXPECT_THAT(error_of([](BankLayout& l) { l.heights[0] = 7; }), HasSubstr("height"));
  EXPECT_THAT(error_of([](BankLayout& l) { l.heights.pop_back(); }), HasSubstr("height"));
  EXPECT_THAT(error_of([](BankLayout& l) { l.cost = 9; }), HasSubstr("cost"));
  problem.banks[0].size = 7;
  EXPECT_THAT(error_of([](BankLayout&) {}), HasSubstr("capacity"));
}

}  // namespace
}  // namespace lowtide
