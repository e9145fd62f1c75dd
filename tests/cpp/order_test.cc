// Order solvers, bounds and reductions against brute force.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <optional>

#include "lowtide/analysis/lower_bounds.h"
#include "lowtide/analysis/node_cut.h"
#include "lowtide/graph/graph_builder.h"
#include "lowtide/model/lifetimes.h"
#include "lowtide/model/lower.h"
#include "lowtide/order/search/budget_search.h"
#include "lowtide/order/search/contract.h"
#include "lowtide/order/search/fits.h"
#include "lowtide/order/solvers.h"
#include "support/brute_force.h"
#include "support/long_tests.h"
#include "support/random_graph.h"

namespace lowtide {
namespace {

constexpr std::int64_t kSteps = 200'000;

bool is_legal(const OrderProblem& problem, const Schedule& schedule) {
  std::vector<char> seen(problem.num_nodes(), 0);
  for (NodeId v : schedule) {
    if (seen[v.index()]) return false;
    seen[v.index()] = 1;
    for (NodeId p : problem.predecessors[v])
      if (!seen[p.index()]) return false;
  }
  return schedule.size() == problem.num_nodes();
}

// What every solver owes, and what an exact one owes on a problem this small.
void check_solver(const OrderSolver& solver, const OrderProblem& problem, Bytes optimum,
                  const std::string& label) {
  if (solver.needs_highs) return;  // too slow for so many graphs: ilp_test.cc
  const auto solution = solver.solve(problem, Limits::within_steps(kSteps));
  ASSERT_TRUE(solution.has_value()) << label << ' ' << solver.name;
  ASSERT_TRUE(is_legal(problem, solution.best())) << label << ' ' << solver.name;
  ASSERT_EQ(peak(problem, solution.best()), solution.value()) << label << ' ' << solver.name;
  ASSERT_LE(solution.bound(), optimum) << label << ' ' << solver.name;
  ASSERT_GE(solution.value(), optimum) << label << ' ' << solver.name;
  if (solver.exact) {
    ASSERT_EQ(solution.status(), Status::kOptimal) << label << ' ' << solver.name;
  }
}

// Every directed acyclic graph on up to five nodes, with sizes that vary by graph. Even tensors
// have one consumer each, odd ones are read by all later neighbours.
TEST(OrderSolvers, AllGraphsUpToFiveNodes) {
  for (int n = 1; n <= 5; ++n) {
    const int num_pairs = n * (n - 1) / 2;
    for (std::uint32_t edges = 0; edges < (1u << num_pairs); ++edges) {
      GraphBuilder builder;
      std::uint32_t hash = edges * 2654435761u + static_cast<std::uint32_t>(n);
      const auto next = [&](std::uint32_t end) {
        return (hash = hash * 1664525u + 1013904223u) / 65536u % end;
      };
      std::vector<NodeSpec> nodes;
      int pair = 0;
      for (int v = 0; v < n; ++v) {
        NodeSpec node{.name = "n" + std::to_string(v),
                      .workspace_bytes = next(4) == 0 ? Bytes(next(6)) : 0};
        const std::string shared = "s" + std::to_string(v);
        builder.add_tensor({.name = shared, .bytes = 1 + Bytes(next(9)), .output = next(8) == 0});
        node.outputs.push_back(shared);
        for (int u = 0; u < v; ++u, ++pair) {
          if (!((edges >> pair) & 1)) continue;
          if (u % 2 == 1) {
            node.inputs.push_back("s" + std::to_string(u));
            continue;
          }
          const std::string own = std::to_string(u) + "-" + std::to_string(v);
          builder.add_tensor({.name = own, .bytes = 1 + Bytes(next(9))});
          nodes[static_cast<std::size_t>(u)].outputs.push_back(own);
          node.inputs.push_back(own);
        }
        nodes.push_back(node);
      }
      for (const NodeSpec& node : nodes) builder.add_node(node);
      const LoweredOrder lowered = lower_order(std::move(builder).build());
      const Bytes optimum = testing::optimal_peak(lowered.problem);
      for (const OrderSolver& solver : order_solvers())
        check_solver(solver, lowered.problem, optimum,
                     std::to_string(n) + ":" + std::to_string(edges));
    }
  }
}

TEST(OrderSolvers, RandomGraphsWithWorkspacesAndReuse) {
  for (std::uint64_t seed = 0; seed < testing::cases(1000, 100'000); ++seed) {
    const Graph graph = testing::random_graph(seed, {.num_nodes = 4 + static_cast<int>(seed % 9)});
    for (const bool reuse : {false, true}) {
      const LoweredOrder lowered = lower_order(graph, reuse);
      const Bytes optimum = testing::optimal_peak(lowered.problem);
      for (const OrderSolver& solver : order_solvers())
        check_solver(solver, lowered.problem, optimum,
                     std::to_string(seed) + (reuse ? " reuse" : ""));
    }
  }
}

// Wherever the steps end: what has run, and the rest in program order.
TEST(OrderSolvers, SimpleOnesStopAnywhere) {
  for (std::uint64_t seed = 0; seed < testing::cases(200, 20'000); ++seed) {
    const OrderProblem problem =
        lower_order(testing::random_graph(seed, {.num_nodes = 12})).problem;
    for (const OrderSolver& solver : order_solvers()) {
      if (solver.exact || solver.needs_highs) continue;
      for (std::int64_t steps = 0; steps <= 14; ++steps) {
        const auto solution = solver.solve(problem, Limits::within_steps(steps));
        ASSERT_TRUE(is_legal(problem, solution.best())) << solver.name << " " << seed;
        ASSERT_EQ(peak(problem, solution.best()), solution.value()) << solver.name << " " << seed;
      }
    }
  }
}

TEST(Contraction, KeepsTheOptimum) {
  for (std::uint64_t seed = 0; seed < testing::cases(1000, 100'000); ++seed) {
    const Graph graph = testing::random_graph(seed, {.num_nodes = 5 + static_cast<int>(seed % 8)});
    const LoweredOrder lowered = lower_order(graph, seed % 2 == 1);
    const Bytes optimum = testing::optimal_peak(lowered.problem);
    Meter meter{Limits()};
    const Reduced core = *contract(lowered.problem, &meter);
    ASSERT_LE(core.problem.num_nodes(), lowered.problem.num_nodes());
    ASSERT_EQ(testing::optimal_peak(core.problem), optimum) << seed;
    const FitResult at =
        fits_budget(core.problem, optimum, program_order_of(core.problem), kSteps, &meter);
    ASSERT_EQ(at.answer, Answer::kYes) << seed;
    const Schedule schedule = core.expand(at.schedule);
    ASSERT_TRUE(is_legal(lowered.problem, schedule)) << seed;
    ASSERT_LE(peak(lowered.problem, schedule), optimum) << seed;
    ASSERT_NE(fits_budget(core.problem, optimum - 1, program_order_of(core.problem), kSteps, &meter)
                  .answer,
              Answer::kYes)
        << seed;
  }
}

// The budget search alone, from either end, without contraction: yes exactly from the optimum on.
// Open reuses: from the start only.
TEST(BudgetSearch, DecidesFromBothEnds) {
  for (std::uint64_t seed = 0; seed < testing::cases(1000, 100'000); ++seed) {
    const Graph graph = testing::random_graph(seed, {.num_nodes = 4 + static_cast<int>(seed % 9)});
    const LoweredOrder lowered = lower_order(graph, seed % 2 == 1);
    const Bytes optimum = testing::optimal_peak(lowered.problem);
    const OrderProblem& core = lowered.problem;
    for (const Direction direction : {Direction::kForward, Direction::kBackward}) {
      if (direction == Direction::kBackward && core.reuses.num_items() > 0) continue;
      Meter meter{Limits()};
      const auto yes = search_budget(core, optimum, direction, 1 << 20, &meter);
      ASSERT_EQ(yes.answer, Answer::kYes) << seed;
      ASSERT_TRUE(is_legal(lowered.problem, yes.nodes)) << seed;
      ASSERT_LE(peak(lowered.problem, yes.nodes), optimum) << seed;
      ASSERT_EQ(search_budget(core, optimum - 1, direction, 1 << 20, &meter).answer, Answer::kNo)
          << seed;
    }
  }
}

// What v needs right after `set` has run, by definition; nothing if it can't run then.
std::optional<Bytes> need_after(const OrderProblem& problem, NodeId v, std::uint32_t set) {
  const auto in = [&](NodeId u) { return ((set >> u.index()) & 1) != 0; };
  if (in(v)) return std::nullopt;
  for (NodeId u : problem.nodes())
    for (NodeId p : problem.predecessors[u])
      if ((in(u) || u == v) && !in(p)) return std::nullopt;
  Bytes needed = own_bytes(problem, v);
  for (TensorId t : problem.tensors()) {
    const auto consumers = problem.consumers[t];
    const bool made = problem.producer[t].is_none() || in(problem.producer[t]);
    const bool wanted = problem.kept[t] || std::any_of(consumers.begin(), consumers.end(),
                                                       [&](NodeId c) { return !in(c); });
    if (made && wanted) needed += problem.bytes[t];
  }
  for (const Reuse& reuse : problem.reuses[v]) {
    const auto readers = problem.consumers[reuse.old];
    if (std::all_of(readers.begin(), readers.end(), [&](NodeId c) { return c == v || in(c); }))
      needed -= problem.bytes[reuse.fresh];
  }
  return needed;
}

// The cut bound by its definition: the least over all down-sets that v can run after. And the
// same of those with, and those without, each other node, asked one after the other.
TEST(NodeBound, IsTheMinimumOverDownSets) {
  for (std::uint64_t seed = 0; seed < testing::cases(400, 100'000); ++seed) {
    const Graph graph = testing::random_graph(seed, {.num_nodes = 8});
    const OrderProblem problem = lower_order(graph, seed % 2 == 1).problem;
    Meter meter{Limits()};
    for (NodeId v : problem.nodes()) {
      Bytes least = kMaxBytes;
      std::array<std::array<Bytes, 8>, 2> least_with;  // [in][u]
      for (auto& row : least_with) row.fill(kMaxBytes);
      for (std::uint32_t set = 0; set < (1u << problem.num_nodes()); ++set) {
        const auto needed = need_after(problem, v, set);
        if (!needed) continue;
        least = std::min(least, *needed);
        for (std::size_t u = 0; u < problem.num_nodes(); ++u) {
          Bytes& with = least_with[(set >> u) & 1][u];
          with = std::min(with, *needed);
        }
      }
      NodeCut cut(problem, v, &meter);
      ASSERT_EQ(cut.run(&meter), least) << seed;
      ASSERT_LE(reachability_bound(problem, v), least) << seed;
      for (NodeId u : cut.free_nodes())
        for (const Side side : {Side::kIn, Side::kOut}) {
          const Bytes wanted = least_with[side == Side::kIn][u.index()];
          ASSERT_EQ(cut.bound_with(u, side, &meter, kMaxBytes), wanted) << seed;
          const auto inside = cut.minimiser_with();
          std::uint32_t set = 0;
          for (NodeId w : problem.nodes())
            if (cut.side(w) == Side::kIn) set |= 1u << w.index();
          for (std::size_t i = 0; i < inside.size(); ++i)
            if (inside[i]) set |= 1u << cut.free_nodes()[i].index();
          ASSERT_EQ(need_after(problem, v, set), wanted) << seed;
        }
      std::uint32_t set = 0;
      const auto inside = cut.minimiser(Minimiser::kSmallest);
      for (NodeId w : problem.nodes())
        if (inside[w]) set |= 1u << w.index();
      ASSERT_EQ(need_after(problem, v, set), least) << seed;
    }
  }
}

// Few flows, started from any order and paid in instalments, find the same maximum as all of them.
TEST(NodeBound, OfTheWholeIsTheLargestOfAllNodes) {
  for (std::uint64_t seed = 0; seed < testing::cases(1000, 100'000); ++seed) {
    const Graph graph = testing::random_graph(seed, {.num_nodes = 4 + static_cast<int>(seed % 20)});
    const OrderProblem problem = lower_order(graph, seed % 3 == 2).problem;
    Meter meter{Limits()};
    Bytes largest = 0;
    for (NodeId v : problem.nodes()) largest = std::max(largest, node_bound(problem, v, &meter));
    NodeBounds bounds(problem);
    while (!bounds.raise(program_order_of(problem), 1, &meter)) ASSERT_LE(bounds.best(), largest);
    ASSERT_EQ(bounds.best(), largest) << seed;
    ASSERT_LE(own_bound(problem), largest) << seed;
    if (largest > 0) {
      ASSERT_EQ(node_bound(problem, bounds.node(), &meter), largest) << seed;
    }
    for (NodeId v : problem.nodes())
      ASSERT_LE(node_bound(problem, v, &meter), bounds.at_most(v)) << seed;
  }
}

TEST(ExactOrder, IsAnytimeAndDeterministic) {
  const Graph graph = testing::random_graph(7, {.num_nodes = 200, .reuses = false});
  const OrderProblem problem = lower_order(graph).problem;
  for (std::int64_t steps : {0, 10, 1000, 100'000}) {
    const auto first = find_order_solver("exact")->solve(problem, Limits::within_steps(steps));
    const auto second = find_order_solver("exact")->solve(problem, Limits::within_steps(steps));
    ASSERT_TRUE(is_legal(problem, first.best()));
    EXPECT_LE(first.bound(), first.value());
    EXPECT_GE(first.bound(), own_bound(problem));  // however little time there was
    EXPECT_EQ(first.best(), second.best());
    EXPECT_EQ(first.bound(), second.bound());
  }
}

}  // namespace
}  // namespace lowtide
