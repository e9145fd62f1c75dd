// Walks, pieces, precedences and propagation against brute force, with workspaces and in-place
// reuse.
#include <gtest/gtest.h>

#include <random>

#include "lowtide/analysis/node_set.h"
#include "lowtide/analysis/reachability.h"
#include "lowtide/model/lifetimes.h"
#include "lowtide/model/lower.h"
#include "lowtide/order/greedy/list_schedule.h"
#include "lowtide/order/search/contract.h"
#include "lowtide/order/search/dead_table.h"
#include "lowtide/order/search/propagate.h"
#include "lowtide/order/search/walk.h"
#include "support/brute_force.h"
#include "support/long_tests.h"
#include "support/random_graph.h"

namespace lowtide {
namespace {

OrderProblem random_problem(std::uint64_t seed, int num_nodes, bool reuse) {
  return lower_order(testing::random_graph(seed, {.num_nodes = num_nodes}), reuse).problem;
}

Meter unlimited() { return Meter{Limits()}; }

TEST(Walk, CountsStayRightThroughStepsAndUndo) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    std::mt19937_64 random(seed);
    const bool forward = seed % 2 == 0;
    const OrderProblem problem = random_problem(seed, 30, false);
    Walk walk(problem, forward ? Direction::kForward : Direction::kBackward);
    for (int i = 0; i < 100; ++i) {
      if (walk.is_complete() || random() % 4 == 0)
        walk.undo_to(random() % (walk.path().size() + 1));
      else
        walk.step(walk.ready()[random() % walk.ready().size()]);
      walk.check_consistency();
    }
  }
}

TEST(Walk, CostsAreTheProfileFromBothEnds) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const OrderProblem problem = random_problem(seed, 20, false);
    const Schedule order = greedy_order(problem);
    const auto needed = profile(problem, order);
    Walk forward(problem, Direction::kForward);
    Walk backward(problem, Direction::kBackward);
    for (std::size_t i = 0; i < order.size(); ++i) {
      ASSERT_EQ(forward.cost(order[i]), needed[i]);
      forward.step(order[i]);
      const std::size_t j = order.size() - 1 - i;
      ASSERT_EQ(backward.cost(order[j]), needed[j]);
      backward.step(order[j]);
    }
  }
}

TEST(DeadTable, KeepsWhatFitsAndNeverInvents) {
  DeadTable table(4096);  // 256 slots
  std::mt19937_64 random(1);
  std::vector<SetHash> known;
  for (int i = 0; i < 2000; ++i) {
    const SetHash hash{random(), random()};
    EXPECT_FALSE(table.contains(hash));
    table.insert(hash);
    EXPECT_TRUE(table.contains(hash));
    known.push_back(hash);
  }
  int found = 0;
  for (const SetHash& hash : known) found += table.contains(hash);
  EXPECT_GT(found, 100);
  EXPECT_LE(found, 256);
}

TEST(DeadTable, StaysInItsMemory) {
  for (const std::int64_t max_bytes : {4096, 100'000, 1'000'000}) {
    DeadTable table(max_bytes);
    std::mt19937_64 random(1);
    for (int i = 0; i < 200'000; ++i) table.insert({random(), random()});
    EXPECT_LE(table.bytes(), max_bytes);
    EXPECT_GE(2 * table.bytes(), max_bytes / 2);
  }
}

TEST(Reachability, ChainsNeverClaimTooMuchAndKnowLongChains) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const OrderProblem problem = random_problem(seed, 120, false);
    Meter meter = unlimited();
    const Reachability exact(problem.predecessors, problem.successors, 1 << 20, &meter);
    const Reachability chains(problem.predecessors, problem.successors, 0, &meter);
    ASSERT_TRUE(exact.is_exact());
    ASSERT_FALSE(chains.is_exact());
    for (NodeId a : problem.nodes()) {
      std::vector<char> reached(problem.num_nodes(), 0);
      for (NodeId b : reachable(problem.successors, a)) reached[b.index()] = 1;
      for (NodeId b : problem.nodes()) {
        ASSERT_EQ(exact.reaches(a, b), reached[b.index()] != 0);
        ASSERT_TRUE(!chains.reaches(a, b) || reached[b.index()]);
      }
    }
  }
}

// A piece between the prefix and the suffix of an optimal order: its own optimum is what the order
// needs in it, or less, and any order of it fits in.
TEST(Piece, FitsBetween) {
  for (std::uint64_t seed = 0; seed < testing::cases(500, 100'000); ++seed) {
    std::mt19937_64 random(seed);
    const OrderProblem problem = random_problem(seed, 14, seed % 2 == 1);
    Schedule order = greedy_order(problem);
    const std::size_t from = random() % order.size();
    const std::size_t to = from + random() % (order.size() - from + 1);
    IdVector<NodeId, Part> part(problem.num_nodes(), Part::kPiece);
    for (std::size_t i = 0; i < from; ++i) part[order[i]] = Part::kBefore;
    for (std::size_t i = to; i < order.size(); ++i) part[order[i]] = Part::kAfter;
    const Reduced piece = piece_between(problem, part);
    ASSERT_EQ(piece.problem.num_nodes(), to - from);
    const Schedule inner = greedy_order(piece.problem);
    const Schedule outer = piece.expand(inner);
    std::copy(outer.begin(), outer.end(), order.begin() + static_cast<std::ptrdiff_t>(from));
    const auto whole = profile(problem, order);
    const auto alone = profile(piece.problem, inner);
    for (std::size_t i = from; i < to; ++i) ASSERT_EQ(whole[i], alone[i - from]) << seed;
  }
}

// Adding the opposite of an implied precedence leaves no order within the budget.
TEST(Propagation, ImpliesOnlyWhatEveryOrderObeys) {
  for (std::uint64_t seed = 0; seed < testing::cases(1000, 100'000); ++seed) {
    const OrderProblem problem =
        random_problem(seed, 4 + static_cast<int>(seed % 8), seed % 3 == 2);
    const Bytes optimum = testing::optimal_peak(problem);
    const Bytes budget = optimum + static_cast<Bytes>(seed % 5) - 2;
    Meter meter = unlimited();
    const std::size_t asked = seed % 4 == 3 ? 2 : problem.num_nodes();
    const Implied implied =
        implied_precedences(problem, budget, program_order_of(problem), asked, &meter);
    if (implied.infeasible) {
      ASSERT_LT(budget, optimum) << seed;
      continue;
    }
    for (const Precedence& edge : implied.precedences) {
      const auto opposite = with_precedences(problem, {{edge.after, edge.before}});
      ASSERT_TRUE(!opposite || testing::optimal_peak(opposite->problem) > budget) << seed;
    }
    const auto tight = tighten(problem, budget, program_order_of(problem), asked, &meter);
    ASSERT_TRUE(tight || budget < optimum) << seed;
    if (!tight) continue;
    ASSERT_EQ(testing::optimal_peak(tight->problem) <= budget, optimum <= budget) << seed;
    const Schedule order = tight->expand(program_order_of(tight->problem));
    ASSERT_EQ(order.size(), problem.num_nodes());
    ASSERT_EQ(std::max(budget, peak(problem, order)),
              std::max(budget, peak(tight->problem, program_order_of(tight->problem))))
        << seed;
  }
}

}  // namespace
}  // namespace lowtide
