// The integer programs of the order: what they say, and that their optimum is the optimum.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "lowtide/graph/graph_builder.h"
#include "lowtide/mip/highs.h"
#include "lowtide/model/lifetimes.h"
#include "lowtide/model/lower.h"
#include "lowtide/order/program/pair_program.h"
#include "lowtide/order/program/step_program.h"
#include "lowtide/order/solvers.h"
#include "support/brute_force.h"
#include "support/long_tests.h"
#include "support/random_graph.h"

namespace lowtide {
namespace {

using testing::random_graph;
using testing::random_schedule;

constexpr std::size_t kMaxPairs = 100'000;

double value_at(const mip::Row& row, const std::vector<double>& point) {
  double value = 0;
  for (const auto& [column, coefficient] : row.terms)
    value += coefficient * point[static_cast<std::size_t>(column)];
  return value;
}

// The names of the bounds and rows that the point violates.
std::vector<std::string> violated(const mip::Model& model, const std::vector<double>& point) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < point.size(); ++i)
    if (point[i] < model.variables[i].lower || point[i] > model.variables[i].upper)
      names.push_back(model.variables[i].name);
  for (const mip::Row& row : model.rows)
    if (const double value = value_at(row, point); value < row.lower || value > row.upper)
      names.push_back(row.name);
  return names;
}

double objective(const mip::Model& model, const std::vector<double>& point) {
  double value = 0;
  for (std::size_t i = 0; i < point.size(); ++i) value += model.variables[i].objective * point[i];
  return value;
}

OrderProblem random_problem(std::uint64_t seed, int num_nodes, bool reuses = true) {
  const Graph graph = random_graph(seed, {.num_nodes = num_nodes, .reuses = reuses});
  return lower_order(graph, reuses).problem;
}

PairProgram whole_pair_program(const OrderProblem& problem) {
  PairProgram program = *build_pair_program(problem, kMaxPairs);
  add_cycles(&program, {}, kMaxPairs);
  return program;
}

// Every legal order is a point of the program, with its peak; and the point is the order.
template <class Program>
void check_orders(const Program& program, const OrderProblem& problem, const Graph& graph) {
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    const Schedule schedule = random_schedule(graph, seed);
    const auto point = encode(program, problem, schedule);
    ASSERT_EQ(violated(program.model, point), std::vector<std::string>{}) << graph.name();
    ASSERT_EQ(static_cast<Bytes>(std::llround(objective(program.model, point))) * program.unit,
              peak(problem, schedule))
        << graph.name();
    ASSERT_EQ(decode(program, point), schedule) << graph.name();
  }
}

TEST(OrderPrograms, EveryOrderIsAPoint) {
  for (std::uint64_t seed = 0; seed < testing::cases(200, 5000); ++seed) {
    const Graph graph = random_graph(seed, {.num_nodes = 3 + static_cast<int>(seed % 10)});
    const OrderProblem problem = lower_order(graph, true).problem;
    check_orders(build_step_program(problem, Timesteps::kSerial), problem, graph);
    check_orders(whole_pair_program(problem), problem, graph);
  }
}

// A point that lies about its peak, or keeps too little, is no point.
TEST(OrderPrograms, AnUnderstatedPeakIsViolated) {
  const Graph graph = random_graph(7, {.num_nodes = 8});
  const OrderProblem problem = lower_order(graph, true).problem;
  const Schedule schedule = program_order_of(problem);
  const StepProgram steps = build_step_program(problem, Timesteps::kSerial);
  auto point = encode(steps, problem, schedule);
  point[static_cast<std::size_t>(steps.peak)] -= 1;
  EXPECT_THAT(violated(steps.model, point), ::testing::Contains(::testing::StartsWith("peak_at_")));
  const PairProgram pairs = whole_pair_program(problem);
  point = encode(pairs, problem, schedule);
  point[static_cast<std::size_t>(pairs.peak)] -= 1;
  EXPECT_THAT(violated(pairs.model, point), ::testing::Contains(::testing::StartsWith("peak_")));
}

TEST(OrderPrograms, StepProgramSizeIsKnownBefore) {
  for (std::uint64_t seed = 0; seed < 50; ++seed)
    for (const Timesteps timesteps : {Timesteps::kSerial, Timesteps::kShared}) {
      const OrderProblem problem = random_problem(seed, 9);
      EXPECT_EQ(step_program_size(problem, timesteps),
                build_step_program(problem, timesteps).model.variables.size());
    }
}

// As where all nodes are on one path: 1.01 of its length is more timesteps than nodes.
TEST(OrderPrograms, SharedTimestepsMayBeMoreThanNodes) {
  for (int num_nodes = 1; num_nodes < 5; ++num_nodes) {
    GraphBuilder builder("path");
    builder.add_tensor({"kept", 3, TensorKind::kActivation, true});
    std::vector<std::string> inputs = {"kept"};
    for (int i = 0; i < num_nodes; ++i) {
      const std::string name = "n" + std::to_string(i);
      builder.add_tensor({name, 1, TensorKind::kActivation, i % 2 == 0});
      builder.add_node({.name = name, .inputs = inputs, .outputs = {name}});
      inputs = {"kept", name};
    }
    const OrderProblem problem = lower_order(std::move(builder).build()).problem;
    const StepProgram program = build_step_program(problem, Timesteps::kShared);
    for (const mip::Row& row : program.model.rows)
      for (const auto& [column, coefficient] : row.terms)
        ASSERT_LT(static_cast<std::size_t>(column), program.model.variables.size()) << row.name;
    if (!mip::is_available()) continue;
    const mip::Answer answer = mip::solve(program.model, Limits());
    EXPECT_EQ(answer.outcome, mip::Outcome::kOptimal);
    EXPECT_EQ(decode(program, answer.values), program_order_of(problem));
  }
}

TEST(OrderPrograms, ACycleIsCutOff) {
  GraphBuilder builder("three");
  for (const char* name : {"a", "b", "c"}) {
    builder.add_tensor({name, 1, TensorKind::kActivation, true});
    builder.add_node({.name = name, .op = "make", .outputs = {name}});
  }
  const OrderProblem problem = lower_order(std::move(builder).build()).problem;
  PairProgram program = *build_pair_program(problem, kMaxPairs);
  std::vector<double> round(program.model.variables.size(), 0);
  const auto set = [&](std::size_t u, std::size_t v, double value) {
    round[static_cast<std::size_t>(program.before(NodeId(u), NodeId(v)).column)] = value;
  };
  set(0, 1, 1);
  set(1, 2, 1);
  set(0, 2, 0);  // 0 before 1 before 2 before 0
  EXPECT_EQ(add_cycles(&program, round, kMaxPairs), 1u);
  EXPECT_THAT(violated(program.model, round), ::testing::Contains("cycle_0_1_2"));
  set(0, 2, 1);
  EXPECT_EQ(add_cycles(&program, round, kMaxPairs), 0u);
}

class OrderOptima : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!mip::is_available()) GTEST_SKIP() << "built without HiGHS";
  }
};

template <class Program>
void check_optimum(const Program& program, const OrderProblem& problem, Bytes optimum,
                   std::uint64_t seed) {
  const auto answer = mip::solve(program.model, Limits::within_steps(100'000'000));
  ASSERT_EQ(answer.outcome, mip::Outcome::kOptimal) << seed;
  EXPECT_EQ(static_cast<Bytes>(std::llround(answer.objective)) * program.unit, optimum) << seed;
  EXPECT_EQ(peak(problem, decode(program, answer.values)), optimum) << seed;
}

// Nothing is contracted here: the programs alone, reuses and workspaces included.
TEST_F(OrderOptima, ProgramsAgreeWithBruteForce) {
  for (std::uint64_t seed = 0; seed < testing::cases(25, 2000); ++seed) {
    const OrderProblem problem = random_problem(seed, 4 + static_cast<int>(seed % 6));
    const Bytes optimum = testing::optimal_peak(problem);
    check_optimum(whole_pair_program(problem), problem, optimum, seed);
    check_optimum(build_step_program(problem, Timesteps::kSerial), problem, optimum, seed);
  }
}

// How many of the problems seeds 0 .. num_seeds-1, of 10 .. most_nodes nodes, the solver leaves
// open.
std::size_t open_after(const char* name, std::uint64_t num_seeds, int most_nodes,
                       const Limits& limits) {
  std::size_t open = 0;
  for (std::uint64_t seed = 0; seed < num_seeds; ++seed) {
    const int num_nodes = 10 + static_cast<int>(seed) % (most_nodes - 9);
    const OrderProblem problem = random_problem(seed, num_nodes, seed % 2);
    const auto exact = find_order_solver("exact")->solve(problem, Limits::within_steps(5'000'000));
    const auto ilp = find_order_solver(name)->solve(problem, limits);
    EXPECT_EQ(peak(problem, ilp.best()), ilp.value()) << name << ' ' << seed;
    EXPECT_LE(ilp.bound(), exact.value()) << name << ' ' << seed;
    EXPECT_LE(exact.bound(), ilp.value()) << name << ' ' << seed;
    open += ilp.status() != Status::kOptimal;
  }
  return open;
}

// Two opinions on graphs too large for brute force: neither's bound is above the other's value, so
// where both are optimal they are equal.
TEST_F(OrderOptima, IlpAgreesWithTheExactSearch) {
  const Limits limits = Limits::within_steps(testing::cases(1'000'000, 20'000'000));
  const std::uint64_t num_seeds = testing::cases(40, 600);
  const std::size_t open = open_after("ilp", num_seeds, 30, limits);
  std::printf("%zu of %zu open\n", open, static_cast<std::size_t>(num_seeds));
  EXPECT_LE(open, num_seeds / 10);
}

TEST_F(OrderOptima, IlpStepsAgreesWithTheExactSearch) {
  const Limits limits = Limits::within_steps(testing::cases(300'000, 3'000'000));
  const std::uint64_t num_seeds = testing::cases(12, 200);
  const std::size_t open = open_after("ilp_steps", num_seeds, 13, limits);
  std::printf("%zu of %zu open\n", open, static_cast<std::size_t>(num_seeds));
  EXPECT_LE(open, num_seeds / 2);
}

TEST_F(OrderOptima, AreDeterministicUnderASteps) {
  const OrderProblem problem = random_problem(11, 24);
  const Limits limits = Limits::within_steps(100'000);
  for (const char* name : {"ilp", "ilp_steps", "ilp_shared"}) {
    const auto first = find_order_solver(name)->solve(problem, limits);
    const auto second = find_order_solver(name)->solve(problem, limits);
    EXPECT_EQ(first.best(), second.best()) << name;
    EXPECT_EQ(first.bound(), second.bound()) << name;
  }
}

// What shares a timestep is counted together: two outputs that need not meet do.
TEST_F(OrderOptima, SharedTimestepsCanMissTheOptimum) {
  GraphBuilder builder("two-chains");
  for (const std::string side : {"l", "r"}) {
    builder.add_tensor({side + "large", 100, TensorKind::kActivation, false});
    builder.add_tensor({side + "small", 1, TensorKind::kActivation, true});
    builder.add_node({.name = side + "1", .op = "make", .outputs = {side + "large"}});
    builder.add_node({.name = side + "2",
                      .op = "reduce",
                      .inputs = {side + "large"},
                      .outputs = {side + "small"}});
  }
  const OrderProblem problem = lower_order(std::move(builder).build()).problem;
  const auto serial = mip::solve(build_step_program(problem, Timesteps::kSerial).model, Limits());
  const auto shared = mip::solve(build_step_program(problem, Timesteps::kShared).model, Limits());
  EXPECT_NEAR(serial.objective, 102, 1e-6);
  EXPECT_GT(shared.objective, 102 + 50);
}

}  // namespace
}  // namespace lowtide
