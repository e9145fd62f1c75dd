// The bound from sets of nodes, one of which is last or first, against every order of small graphs.
#include "lowtide/analysis/set_bound.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "lowtide/analysis/lower_bounds.h"
#include "lowtide/analysis/node_set.h"
#include "lowtide/graph/graph_builder.h"
#include "lowtide/io/graph_json.h"
#include "lowtide/model/lifetimes.h"
#include "lowtide/model/lower.h"
#include "lowtide/planner/planner.h"
#include "support/brute_force.h"
#include "support/every_order.h"
#include "support/long_tests.h"
#include "support/random_graph.h"

namespace lowtide {
namespace {

Bytes largest_set_bound(const OrderProblem& problem, Bytes enough) {
  Meter meter{Limits()};
  Bytes largest = 0;
  for (NodeId v : problem.nodes())
    for (const SetEnd end : {SetEnd::kLast, SetEnd::kFirst})
      largest = std::max(largest, set_bound(problem, v, end, 0, enough, &meter));
  return largest;
}

Bytes largest_node_bound(const OrderProblem& problem) {
  Meter meter{Limits()};
  return node_bound(problem, program_order_of(problem), &meter);
}

// Branches that meet in a node and part again, as gradients do that are clipped by their norm:
// chains before it, and behind it nodes that read the end of a chain; some edges across.
Graph clipped(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto below = [&](std::size_t end) { return static_cast<std::size_t>(random() % end); };
  GraphBuilder builder("clipped");
  std::vector<std::string> made;
  const auto add = [&](const std::vector<std::string>& inputs) {
    const std::string name = "t" + std::to_string(made.size());
    builder.add_tensor(
        {.name = name, .bytes = static_cast<Bytes>(below(12)), .output = below(12) == 0});
    NodeSpec node{.name = "n." + name, .inputs = inputs, .outputs = {name}};
    if (below(6) == 0) node.workspace_bytes = static_cast<Bytes>(below(6));
    if (!inputs.empty() && below(3) == 0) node.may_reuse.emplace_back(name, inputs[0]);
    builder.add_node(node);
    made.push_back(name);
  };
  std::vector<std::string> sums;
  for (std::size_t branches = 2 + below(2); branches > 0; --branches) {
    std::vector<std::string> inputs;
    if (!made.empty() && below(3) == 0) inputs = {made[below(made.size())]};
    for (std::size_t length = 1 + below(3); length > 0; --length) {
      add(inputs);
      inputs = {made.back()};
    }
    sums.push_back(made.back());
  }
  add(sums);
  const std::string norm = made.back();
  for (const std::string& sum : sums) {
    add({sum, norm});
    if (below(2) == 0) add({made.back()});
  }
  return std::move(builder).build();
}

OrderProblem problem_of(std::uint64_t seed) {
  const bool reuse = seed % 3 == 2;
  if (seed % 2 == 0) return lower_order(clipped(seed), reuse).problem;
  const int nodes = 4 + static_cast<int>(seed % 9);
  return lower_order(testing::random_graph(seed, {.num_nodes = nodes}), reuse).problem;
}

TEST(SetBound, IsNeverAboveTheOptimumAndOftenBeyondTheNodes) {
  const std::uint64_t cases = testing::cases(4000, 100'000);
  std::uint64_t open = 0, raised = 0, closed = 0;
  for (std::uint64_t seed = 0; seed < cases; ++seed) {
    const OrderProblem problem = problem_of(seed);
    const Bytes optimum = testing::optimal_peak(problem);
    const Bytes peeled = largest_set_bound(problem, 0);
    const Bytes cut = largest_set_bound(problem, kMaxBytes);
    ASSERT_LE(peeled, cut) << seed;
    ASSERT_LE(cut, optimum) << seed;
    ASSERT_LE(largest_set_bound(problem, optimum - 1), optimum) << seed;  // cut short
    const Bytes by_nodes = largest_node_bound(problem);
    if (seed % 2 != 0 || by_nodes == optimum) continue;
    ++open;
    raised += cut > by_nodes;
    closed += cut == optimum;
  }
  EXPECT_GT(open, cases / 10);
  EXPECT_GT(raised, open / 2);
  EXPECT_GT(closed, open / 3);
}

std::vector<char> flags(const OrderProblem& problem, const std::vector<NodeId>& nodes) {
  std::vector<char> inside(problem.num_nodes(), 0);
  for (NodeId v : nodes) inside[v.index()] = 1;
  return inside;
}

// What v needs if it is the last, or first, of the set, as far as the join tells: by definition.
Bytes need_by_definition(const OrderProblem& problem, NodeId join, SetEnd end, unsigned set,
                         NodeId v) {
  const bool last = end == SetEnd::kLast;
  std::vector<char> done = flags(problem, reachable(problem.predecessors, last ? v : join));
  std::vector<char> waits = flags(problem, reachable(problem.successors, last ? join : v));
  if (last) waits[join.index()] = 1;
  if (!last) done[join.index()] = 1;
  for (NodeId u : problem.nodes())
    if (u != v && (set >> u.index() & 1) != 0) {
      for (NodeId w : reachable(last ? problem.predecessors : problem.successors, u))
        (last ? done : waits)[w.index()] = 1;
      (last ? done : waits)[u.index()] = 1;
    }
  Bytes bytes = own_bytes(problem, v);
  for (const Reuse& reuse : problem.reuses[v]) bytes -= problem.bytes[reuse.fresh];
  for (TensorId t : problem.tensors()) {
    const NodeId producer = problem.producer[t];
    const auto readers = problem.consumers[t];
    const auto is_there = [&](auto in) { return std::any_of(readers.begin(), readers.end(), in); };
    const bool is_read = is_there([&](NodeId c) { return c == v; });
    const bool is_made = producer.is_none() || done[producer.index()];
    const bool is_awaited = problem.kept[t] || is_there([&](NodeId c) { return waits[c.index()]; });
    if (is_read || (producer != v && is_made && is_awaited)) bytes += problem.bytes[t];
  }
  return bytes;
}

// Of all sets among the nodes before the join, or behind it.
Bytes best_by_definition(const OrderProblem& problem, NodeId join, SetEnd end) {
  const bool last = end == SetEnd::kLast;
  const auto& inward = last ? problem.predecessors : problem.successors;
  const auto& outward = last ? problem.successors : problem.predecessors;
  unsigned all = 0;
  for (NodeId v : reachable(inward, join)) all |= 1u << v.index();
  Bytes best = 0;
  for (unsigned set = all; set != 0; set = (set - 1) & all) {
    Bytes least = kMaxBytes;
    for (NodeId v : problem.nodes()) {
      const auto beyond = reachable(outward, v);
      const bool is_end = std::none_of(beyond.begin(), beyond.end(),
                                       [&](NodeId w) { return (set >> w.index() & 1) != 0; });
      if ((set >> v.index() & 1) != 0 && is_end)
        least = std::min(least, need_by_definition(problem, join, end, set, v));
    }
    best = std::max(best, least);
  }
  return best;
}

TEST(SetBound, PeelingFindsTheBestSet) {
  for (std::uint64_t seed = 0; seed < testing::cases(300, 10'000); ++seed) {
    const OrderProblem problem = problem_of(seed);
    if (problem.num_nodes() > 10) continue;
    Meter meter{Limits()};
    for (NodeId v : problem.nodes())
      for (const SetEnd end : {SetEnd::kLast, SetEnd::kFirst})
        ASSERT_EQ(set_bound(problem, v, end, 0, 0, &meter), best_by_definition(problem, v, end))
            << seed << ' ' << v.index();
  }
}

// The least that any order needs when the last, or first, of the set runs.
Bytes least_at_the_end(const OrderProblem& problem, const std::vector<char>& set, SetEnd end) {
  Bytes least = kMaxBytes;
  testing::for_every_order(problem, [&](const Schedule& order) {
    std::size_t step = order.size();
    for (std::size_t i = 0; i < order.size(); ++i)
      if (set[order[i].index()] && (end == SetEnd::kLast || step == order.size())) step = i;
    least = std::min(least, profile(problem, order)[step]);
  });
  return least;
}

TEST(SetBound, OfAGivenSetIsTheLeastNeedAtItsEnd) {
  std::mt19937_64 random(0);
  for (std::uint64_t seed = 0; seed < testing::cases(1000, 20'000); ++seed) {
    const Graph graph = testing::random_graph(seed, {.num_nodes = 3 + static_cast<int>(seed % 5)});
    const OrderProblem problem = lower_order(graph, seed % 3 == 2).problem;
    std::vector<NodeId> set;
    for (NodeId v : problem.nodes())
      if (random() % 2 == 0) set.push_back(v);
    if (set.empty()) continue;
    Meter meter{Limits()};
    for (const SetEnd end : {SetEnd::kLast, SetEnd::kFirst})
      ASSERT_EQ(set_bound(problem, set, end, 0, kMaxBytes, &meter),
                least_at_the_end(problem, flags(problem, set), end))
          << seed;
  }
}

TEST(SetBound, NeedySetsAreThoseOfEachLevelThatNothingOfItFollowsOrPrecedes) {
  GraphBuilder builder("chains");  // of a small and two large nodes each
  for (const std::string chain : {"a", "b"})
    for (const std::string node : {"0", "1", "2"}) {
      builder.add_tensor({.name = chain + node, .bytes = node == "0" ? 1 : 10});
      NodeSpec spec{.name = "n." + chain + node, .outputs = {chain + node}};
      if (node != "0") spec.after = {"n." + chain + std::to_string(node[0] - '1')};
      builder.add_node(spec);
    }
  const OrderProblem problem = lower_order(std::move(builder).build(), false).problem;
  const std::vector<NodeId> first{NodeId(0), NodeId(3)}, second{NodeId(1), NodeId(4)},
      third{NodeId(2), NodeId(5)};
  using Sets = std::vector<std::vector<NodeId>>;
  Meter meter{Limits()};
  EXPECT_EQ(needy_sets(problem, 1, &meter), (Sets{third, second}));
  EXPECT_EQ(needy_sets(problem, 8, &meter), (Sets{third, second, third, first}));
}

// Training steps as PyTorch has them (tools/make_test_data.py).
class AddedUpStep : public ::testing::TestWithParam<const char*> {};

TEST_P(AddedUpStep, IsProvenOrWithinHalfAPercent) {
  const Graph graph = load_graph(LOWTIDE_TEST_DATA "/" + std::string(GetParam()) + ".json");
  const Plan plan =
      lowtide::plan(graph, {.time_limit_seconds = 1000, .step_limit = 1'000'000}).plan;
  EXPECT_GE(plan.peak_lower_bound_bytes * 1000, plan.peak_bytes * 995);
}

INSTANTIATE_TEST_SUITE_P(All, AddedUpStep,
                         ::testing::Values("clip-adamw", "accumulate-clip-sgd",
                                           "accumulate-clip-adamw", "losses-clip-sgd",
                                           "losses-accumulate-clip-sgd", "accumulate-sgd"));

}  // namespace
}  // namespace lowtide
