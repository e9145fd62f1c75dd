// Orders of large and of hard graphs: what is proved with how much work.
#include <gtest/gtest.h>

#include "families.h"
#include "lowtide/graph/error.h"
#include "lowtide/model/lifetimes.h"
#include "lowtide/model/lower.h"
#include "lowtide/order/solvers.h"

namespace lowtide {
namespace {

Solution<Schedule> solve(const std::string& family, std::int64_t steps_per_node) {
  const OrderProblem problem = lower_order(bench::make_family(family)).problem;
  const auto nodes = static_cast<std::int64_t>(problem.num_nodes());
  return find_order_solver("exact")->solve(problem, Limits::within_steps(steps_per_node * nodes));
}

TEST(Families, AreAboutAsLargeAsAskedFor) {
  for (const bench::Family& family : bench::families()) {
    const Graph graph = family.make(2000, 0);
    EXPECT_GE(graph.num_nodes(), 1500) << family.name;
    EXPECT_LE(graph.num_nodes(), 2600) << family.name;
  }
  for (const char* wrong : {"transformer", "transformer:", "transformer:0", "nothing:5", ":5"})
    EXPECT_THROW(bench::make_family(wrong), InputError) << wrong;
}

// Linear work: as many steps a node at 30 000 nodes (reachability by chains) as at 1000.
TEST(Families, RepeatedBlocksAreProvenInLinearWork) {
  for (const char* family : {"transformer", "weights", "resnet"})
    for (const char* nodes : {":1000", ":10000", ":30000"})
      EXPECT_EQ(solve(std::string(family) + nodes, 1000).status(), Status::kOptimal)
          << family << nodes;
}

TEST(Families, CellsAndRecurrenceAreProven) {
  for (const char* family : {"randwire:3000", "randwire-eval:3000", "nas:3000", "nas-eval:3000",
                             "rnn:3000", "layered:1000:10"})
    EXPECT_EQ(solve(family, 100'000).status(), Status::kOptimal) << family;
}

// Every forward rule stays 7 % above the optimum here; one pass from the end reaches it.
TEST(Families, LongRecurrenceIsProven) {
  EXPECT_EQ(solve("rnn:10000", 100'000).status(), Status::kOptimal);
}

// Far beyond the promise (10 % and 0.2 s), for tests run on machines that do other things as well.
TEST(Families, StopSoonAfterTheDeadline) {
  for (const char* family : {"layered:1000:100", "layered:100000:100", "rnn:100000"}) {
    const OrderProblem problem = lower_order(bench::make_family(family)).problem;
    const auto start = Clock::now();
    const auto solution = find_order_solver("exact")->solve(problem, Limits::within_seconds(0.1));
    EXPECT_LT(std::chrono::duration<double>(Clock::now() - start).count(), 2) << family;
    EXPECT_EQ(peak(problem, solution.best()), solution.value()) << family;
  }
}

// 16 KB leave a table of 256 sets and no bitsets: some work is repeated, the proof is the same.
TEST(Families, LittleMemoryShrinksTheTablesOnly) {
  for (const char* family : {"layered:300:20", "randwire-eval:1000"}) {
    const OrderProblem problem = lower_order(bench::make_family(family)).problem;
    const Limits limits = Limits::within_steps(300'000'000).with_memory_bytes(16'000);
    const auto little = find_order_solver("exact")->solve(problem, limits);
    EXPECT_EQ(little.status(), Status::kOptimal) << family;
    EXPECT_EQ(little.value(), solve(family, 300'000).value()) << family;
  }
}

// Cut off anywhere, what is there is legal, its value is right and the bound holds.
TEST(Families, AreAnytimeUnderAnyStepBudget) {
  for (const char* family : {"layered:300:20", "weights:500", "randwire-eval:500"}) {
    const OrderProblem problem = lower_order(bench::make_family(family)).problem;
    Bytes least_value = kMaxBytes, largest_bound = 0;
    for (std::int64_t steps = 1; steps < 3'000'000; steps = steps * 3 / 2 + 1) {
      const auto solution = find_order_solver("exact")->solve(problem, Limits::within_steps(steps));
      ASSERT_EQ(peak(problem, solution.best()), solution.value()) << family << ' ' << steps;
      least_value = std::min(least_value, solution.value());
      largest_bound = std::max(largest_bound, solution.bound());
    }
    EXPECT_LE(largest_bound, least_value) << family;
  }
}

}  // namespace
}  // namespace lowtide
