// Layout solvers against brute force and planted optima; every answer judged by
// verify/layout_verifier.
#include <gtest/gtest.h>

#include <random>

#include "lowtide/layout/explain.h"
#include "lowtide/layout/search/canonical_search.h"
#include "lowtide/layout/solvers.h"
#include "lowtide/model/fixed_conflict.h"
#include "lowtide/model/layout_bounds.h"
#include "lowtide/verify/layout_verifier.h"
#include "support/brute_force.h"
#include "support/long_tests.h"
#include "support/planted.h"

namespace lowtide {
namespace {

constexpr std::int64_t kSteps = 2'000'000;

LayoutProblem random_problem(std::uint64_t seed, bool aligned, bool fixed = false) {
  std::mt19937_64 random(seed);
  LayoutProblem problem;
  const std::size_t count = random() % 8;
  for (std::size_t i = 0; i < count; ++i) {
    const Step lower = static_cast<Step>(random() % 8);
    Buffer buffer{.lifetime = {lower, lower + static_cast<Step>(random() % 5)},
                  .size = static_cast<Bytes>(random() % 10)};
    if (aligned) buffer.alignment = Bytes{1} << (random() % 3);
    if (fixed && random() % 4 == 0) buffer.fixed_offset = static_cast<Bytes>(random() % 12);
    problem.buffers.push_back(buffer);
  }
  return problem;
}

TEST(LayoutSolvers, AgreeWithBruteForce) {
  for (std::uint64_t seed = 0; seed < testing::cases(400, 20'000); ++seed) {
    const bool aligned = seed % 2 == 1;
    LayoutProblem problem = random_problem(seed, aligned, seed % 5 == 4);
    if (fixed_conflict(problem)) continue;
    const Bytes optimum = testing::optimal_height(problem);
    for (const LayoutSolver& solver : layout_solvers()) {
      problem.capacity.reset();
      const auto solution = solver.solve(problem, Limits::within_steps(kSteps));
      ASSERT_TRUE(solution.has_value()) << seed << ' ' << solver.name;
      ASSERT_EQ(layout_error(problem, solution.best()), "") << seed << ' ' << solver.name;
      ASSERT_EQ(solution.value(), solution.best().height);
      ASSERT_GE(solution.value(), optimum) << seed << ' ' << solver.name;
      ASSERT_LE(solution.bound(), optimum) << seed << ' ' << solver.name;
      if (solver.exact) {
        ASSERT_EQ(solution.status(), Status::kOptimal) << seed << ' ' << solver.name;
      }
      for (Bytes capacity : {optimum - 1, optimum, optimum + 3}) {
        problem.capacity = capacity;
        const auto within = solver.solve(problem, Limits::within_steps(kSteps));
        if (within.has_value()) {
          ASSERT_EQ(layout_error(problem, within.best()), "") << seed << ' ' << solver.name;
          ASSERT_GE(capacity, optimum);
        }
        if (within.status() == Status::kInfeasible) {
          ASSERT_LT(capacity, optimum) << seed << ' ' << solver.name;
        }
        if (solver.exact) {
          ASSERT_EQ(within.has_value(), capacity >= optimum)
              << seed << ' ' << solver.name << ' ' << capacity;
          ASSERT_EQ(within.status() == Status::kInfeasible, capacity < optimum) << seed;
        }
      }
    }
  }
}

// Does a layout of that height exist? Asked of one ranking alone.
// Pieces that fill the capacity, and too few steps to see how: no solver says that it can't be
// done.
TEST(LayoutSolvers, ATimeOutIsNoProof) {
  int undecided = 0;
  for (std::uint64_t seed = 0; seed < testing::cases(5, 500); ++seed) {
    LayoutProblem problem = testing::planted(seed, 40, {0, 60}, 100);
    problem.capacity = 100;
    for (const LayoutSolver& solver : layout_solvers())
      for (const std::int64_t steps : {1, 100, 1000}) {
        const auto solution = solver.solve(problem, Limits::within_steps(steps));
        ASSERT_NE(solution.status(), Status::kInfeasible) << seed << ' ' << solver.name;
        undecided += !solution.has_value();
      }
  }
  EXPECT_GT(undecided, 10);
}

bool decided(const LayoutProblem& problem, Bytes capacity, std::uint64_t seed, bool propagate) {
  using enum Outcome;
  const Instances instances = make_instances(problem);
  Layout layout;
  for (const Buffer& buffer : problem.buffers)
    layout.offsets.push_back(buffer.fixed_offset.value_or(0));
  for (const Instance& instance : instances.parts) {
    CanonicalSearch search(instance);
    Meter meter{Limits()};
    const Ranking ranking(instance, static_cast<int>(seed % 100), seed);
    const auto outcome = search.run(ranking, capacity / instances.unit, propagate, &meter);
    EXPECT_NE(outcome, kStopped);
    if (outcome == kExhausted) return false;
    for (std::size_t b = 0; b < instance.id.size(); ++b)
      layout.offsets[instance.id[b]] = search.offsets()[b] * instances.unit;
  }
  layout.height = height_of(problem, layout.offsets);
  EXPECT_LE(layout.height, capacity);
  EXPECT_EQ(layout_error(problem, layout), "");
  return true;
}

// One ranking alone decides every capacity, whatever the ranking.
TEST(CanonicalSearch, DecidesWithEveryRanking) {
  for (std::uint64_t seed = 0; seed < testing::cases(1500, 60'000); ++seed) {
    const LayoutProblem problem = random_problem(seed, seed % 2 == 1, seed % 3 == 2);
    if (fixed_conflict(problem)) continue;
    const Bytes optimum = testing::optimal_height(problem);
    for (const bool propagate : {false, true}) {
      EXPECT_TRUE(decided(problem, optimum, seed, propagate)) << seed << propagate;
      if (optimum > 0) {
        EXPECT_FALSE(decided(problem, optimum - 1, seed, propagate)) << seed << propagate;
      }
    }
    if (HasFailure()) return;
  }
}

TEST(LayoutSolvers, SolvePlantedRectangles) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const int pieces = seed < 15 ? 30 : 300;
    const LayoutProblem problem = testing::planted(seed, pieces, {0, 400}, 1'000'000);
    ASSERT_EQ(load(problem), 1'000'000);
    const auto solution =
        find_layout_solver("exact")->solve(problem, Limits::within_steps(5'000'000));
    EXPECT_EQ(solution.value(), 1'000'000) << seed;
    EXPECT_EQ(layout_error(problem, solution.best()), "");
  }
}

TEST(LayoutSolvers, KeepFixedOffsets) {
  LayoutProblem problem;
  problem.buffers.push_back({.lifetime = {0, 4}, .size = 4, .fixed_offset = 6});
  problem.buffers.push_back({.lifetime = {0, 4}, .size = 6});
  problem.buffers.push_back({.lifetime = {1, 3}, .size = 5, .alignment = 4});
  for (const LayoutSolver& solver : layout_solvers()) {
    const auto solution = solver.solve(problem, Limits::within_steps(kSteps));
    ASSERT_TRUE(solution.has_value()) << solver.name;
    EXPECT_EQ(layout_error(problem, solution.best()), "") << solver.name;
    EXPECT_EQ(solution.best().offsets[BufferId(0)], 6) << solver.name;
  }
  problem.buffers.push_back({.lifetime = {3, 5}, .size = 1, .fixed_offset = 7});
  for (const LayoutSolver& solver : layout_solvers())
    EXPECT_EQ(solver.solve(problem, Limits()).status(), Status::kInfeasible) << solver.name;
}

TEST(LayoutSolvers, AnswerWithoutTime) {
  LayoutProblem problem;
  for (int i = 0; i < 2000; ++i)
    problem.buffers.push_back({.lifetime = {i, i + 50 + i % 7}, .size = 1 + i % 13});
  for (const LayoutSolver& solver : layout_solvers()) {
    const auto solution = solver.solve(problem, Limits::within_steps(0));
    ASSERT_TRUE(solution.has_value()) << solver.name;
    EXPECT_EQ(layout_error(problem, solution.best()), "") << solver.name;
  }
}

TEST(LayoutSolvers, AreDeterministic) {
  const LayoutProblem problem = testing::planted(5, 120, {0, 1000}, 100'000);
  for (const LayoutSolver& solver : layout_solvers()) {
    const auto first = solver.solve(problem, Limits::within_steps(300'000));
    const auto second = solver.solve(problem, Limits::within_steps(300'000));
    EXPECT_EQ(first.best().offsets, second.best().offsets) << solver.name;
  }
}

LayoutProblem mixed_problem(std::uint64_t seed, std::size_t count, Step time) {
  std::mt19937_64 random(seed);
  LayoutProblem problem;
  for (std::size_t i = 0; i < count; ++i) {
    const Step lower = static_cast<Step>(random() % static_cast<unsigned>(time));
    problem.buffers.push_back({.lifetime = {lower, lower + 1 + static_cast<Step>(random() % 20)},
                               .size = 1 + static_cast<Bytes>(random() % 1000)});
  }
  return problem;
}

// Nothing that a simple heuristic finds is lost, however little the search may do.
TEST(LayoutSolvers, PortfolioIsNeverWorseThanASimpleOne) {
  for (std::uint64_t seed = 0; seed < testing::cases(40, 2'000); ++seed) {
    const LayoutProblem problem = mixed_problem(seed, 30 + seed % 100, 40);
    const Limits limits = Limits::within_steps(3'000);
    const Bytes height = find_layout_solver("auto")->solve(problem, limits).value();
    for (const char* name : {"first_fit", "best_fit", "greedy_by_size", "greedy_by_area",
                             "greedy_by_breadth", "longest_first", "skyline", "best"})
      EXPECT_LE(height, find_layout_solver(name)->solve(problem, limits).value())
          << seed << ' ' << name;
  }
}

// The steps after which `exact` has what it has after a thousand times as many as buffers.
std::int64_t steps_to_best(const LayoutProblem& problem) {
  const auto height = [&](std::int64_t steps) {
    return find_layout_solver("exact")->solve(problem, Limits::within_steps(steps)).value();
  };
  std::int64_t low = 0, high = 1000 * static_cast<std::int64_t>(problem.buffers.size());
  const Bytes best = height(high);
  while (high - low > 1) {
    const std::int64_t middle = (low + high) / 2;
    (height(middle) == best ? high : low) = middle;
  }
  return high;
}

// Under a step budget the number of threads changes nothing, least of all where a budget ends just
// before or after a run finds something that others run side by side with it.
TEST(LayoutSolvers, AnswerTheSameOnAnyNumberOfThreads) {
  const LayoutSolver& exact = *find_layout_solver("exact");
  for (std::uint64_t seed = 0; seed < testing::cases(20, 300); ++seed) {
    const LayoutProblem problem = seed % 4 == 0 ? testing::planted(seed, 150, {0, 200}, 1'000'000)
                                                : mixed_problem(seed, 40 + seed, 30);
    const std::int64_t last = steps_to_best(problem);
    for (const std::int64_t less : {-100, -1, 0, 1, 5, 30, 100, 300}) {
      const Limits limits = Limits::within_steps(std::max<std::int64_t>(1, last - less));
      const auto one = exact.solve(problem, limits.with_threads(1));
      for (const int threads : {2, 4}) {
        const auto many = exact.solve(problem, limits.with_threads(threads));
        EXPECT_EQ(one.best().offsets, many.best().offsets) << seed << ' ' << less << ' ' << threads;
        EXPECT_EQ(one.bound(), many.bound()) << seed << ' ' << less << ' ' << threads;
      }
    }
  }
}

// One corruption per kind of error.
TEST(LayoutVerifier, CatchesEveryKindOfPlainLayouts) {
  LayoutProblem problem;
  problem.buffers.push_back({.lifetime = {0, 2}, .size = 4});
  problem.buffers.push_back({.lifetime = {1, 3}, .size = 4, .alignment = 4});
  problem.buffers.push_back({.lifetime = {2, 3}, .size = 2, .fixed_offset = 0});
  const Layout right{.offsets = {0, 4, 0}, .height = 8};
  EXPECT_EQ(layout_error(problem, right), "");
  const auto error_of = [&](auto spoil) {
    Layout layout = right;
    spoil(layout);
    return layout_error(problem, layout);
  };
  EXPECT_NE(error_of([](Layout& l) { l.offsets[BufferId(0)] = 2; }), "");
  EXPECT_NE(error_of([](Layout& l) { l.offsets[BufferId(0)] = -1; }), "");
  EXPECT_NE(error_of([](Layout& l) { l.offsets[BufferId(1)] = 5; }), "");
  EXPECT_NE(error_of([](Layout& l) { l.offsets[BufferId(2)] = 1; }), "");
  EXPECT_NE(error_of([](Layout& l) { l.height = 9; }), "");
  EXPECT_NE(error_of([](Layout& l) { l.offsets.resize(2); }), "");
  problem.capacity = 7;
  EXPECT_NE(error_of([](Layout&) {}), "");
}

}  // namespace
// The buffers of a conflict can't be placed together; of an irreducible one, any fewer can.
TEST(Explain, ConflictsAreTrueAndIrreducible) {
  int searched = 0;
  for (std::uint64_t seed = 0; seed < testing::cases(300, 20'000); ++seed) {
    LayoutProblem problem = random_problem(seed, seed % 2 == 1);
    const Bytes optimum = testing::optimal_height(problem);
    if (optimum == 0) continue;
    problem.capacity = optimum - 1;
    const Conflict conflict = explain_conflict({problem, {}, {}, {}}, Limits());
    EXPECT_TRUE(conflict.irreducible || conflict.step) << seed;
    searched += conflict.step ? 0 : 1;
    const auto height_without = [&](BufferId left_out) {
      LayoutProblem part;
      for (BufferId b : conflict.buffers)
        if (b != left_out) part.buffers.push_back(problem.buffers[b]);
      return testing::optimal_height(part);
    };
    EXPECT_GE(height_without(BufferId::none()), optimum) << seed;
    if (!conflict.irreducible) continue;
    for (BufferId b : conflict.buffers) EXPECT_LT(height_without(b), optimum) << seed;
  }
  EXPECT_GT(searched, 0);
}

}  // namespace lowtide
