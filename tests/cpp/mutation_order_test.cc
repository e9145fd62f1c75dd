// Which reads and writes the dependencies keep in order: against all legal orders of small graphs.
#include "lowtide/graph/mutation_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "lowtide/graph/graph_builder.h"
#include "support/long_tests.h"

namespace lowtide {
namespace {

// Nodes that read and write few parameters, with few arcs between them.
GraphBuilder random_accesses(std::uint64_t seed, int num_nodes) {
  std::mt19937_64 random(seed);
  const auto chance = [&](unsigned percent) { return random() % 100 < percent; };
  GraphBuilder builder("accesses");
  for (const char* name : {"p", "q"})
    builder.add_tensor({.name = name, .bytes = 8, .kind = TensorKind::kParameter});
  for (int v = 0; v < num_nodes; ++v) {
    NodeSpec node{.name = "n" + std::to_string(v), .outputs = {"t" + std::to_string(v)}};
    builder.add_tensor({.name = node.outputs[0], .bytes = 8});
    for (const char* name : {"p", "q"}) {
      if (chance(40)) node.inputs.push_back(name);
      if (chance(30)) node.mutates.push_back(name);
    }
    for (int u = 0; u < v; ++u) {
      if (chance(15)) node.inputs.push_back("t" + std::to_string(u));
      if (chance(10)) node.after.push_back("n" + std::to_string(u));
    }
    builder.add_node(node);
  }
  return builder;
}

// What each node sees of each tensor it touches: the writes before it, in order.
using Seen = std::map<std::pair<NodeId, TensorId>, std::vector<NodeId>>;

Seen run(const Graph& graph, const std::vector<NodeId>& order) {
  std::map<TensorId, std::vector<NodeId>> writes;
  Seen seen;
  for (NodeId v : order) {
    for (TensorId t : graph.inputs(v)) seen[{v, t}] = writes[t];
    for (TensorId t : graph.mutates(v)) seen[{v, t}] = writes[t];
    for (TensorId t : graph.mutates(v)) writes[t].push_back(v);
  }
  return seen;
}

// Whether every legal order lets every node see what program order does.
bool orders_agree(const Graph& graph) {
  std::vector<NodeId> order;
  for (NodeId v : graph.nodes()) order.push_back(v);
  const Seen expected = run(graph, order);
  std::vector<NodeId> prefix;
  const auto agree = [&](const auto& self) -> bool {
    if (prefix.size() == graph.num_nodes()) return run(graph, prefix) == expected;
    for (NodeId v : graph.nodes()) {
      const auto has_run = [&](NodeId u) {
        return std::find(prefix.begin(), prefix.end(), u) != prefix.end();
      };
      const auto before = graph.predecessors(v);
      if (has_run(v) || !std::all_of(before.begin(), before.end(), has_run)) continue;
      prefix.push_back(v);
      const bool agrees = self(self);
      prefix.pop_back();
      if (!agrees) return false;
    }
    return true;
  };
  return agree(agree);
}

TEST(MutationOrder, NoPairIsOpenExactlyIfAllOrdersSeeTheSame) {
  int safe = 0;
  const std::uint64_t seeds = testing::cases(400, 20'000);
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    const Graph graph = std::move(random_accesses(seed, 6)).build();
    const bool agrees = orders_agree(graph);
    safe += agrees;
    EXPECT_EQ(unordered_accesses(graph).empty(), agrees) << seed;
  }
  EXPECT_GT(safe, static_cast<int>(seeds / 40));
}

TEST(MutationOrder, TheBuilderKeepsTheOrderItWasGiven) {
  for (std::uint64_t seed = 0; seed < testing::cases(400, 20'000); ++seed) {
    GraphBuilder builder = random_accesses(seed, 6);
    builder.order_mutations();
    const Graph graph = std::move(builder).build();
    EXPECT_TRUE(unordered_accesses(graph).empty()) << seed;
    EXPECT_TRUE(orders_agree(graph)) << seed;
  }
}

// More sources than one sweep carries, each with a path of some length.
TEST(MutationOrder, OfManySources) {
  constexpr int kReads = 1500;
  GraphBuilder builder("many");
  const auto add = [&](const std::string& node, std::vector<std::string> inputs,
                       std::vector<std::string> mutates) {
    builder.add_tensor({.name = node + ".out", .bytes = 1});
    builder.add_node({.name = node,
                      .inputs = std::move(inputs),
                      .outputs = {node + ".out"},
                      .mutates = std::move(mutates)});
  };
  for (int i = 0; i < kReads; ++i) {
    const std::string id = std::to_string(i);
    builder.add_tensor({.name = "w" + id, .bytes = 1, .kind = TensorKind::kParameter});
    add("read" + id, {"w" + id}, {});
    add("pass" + id, {"read" + id + ".out"}, {});
  }
  // Every seventh update follows nothing that read its parameter.
  for (int i = 0; i < kReads; ++i) {
    const std::string id = std::to_string(i);
    add("update" + id, {i % 7 == 0 ? "w" + id : "pass" + id + ".out"}, {"w" + id});
  }
  const Graph graph = std::move(builder).build();
  const auto unordered = unordered_accesses(graph);
  ASSERT_EQ(unordered.size(), (kReads + 6) / 7U);
  EXPECT_THAT(describe(graph, unordered[1]),
              "node 'update7' writes tensor 'w7' and may overtake node 'read7', which reads it "
              "before: no input, output or after keeps them in order");
}

}  // namespace
}  // namespace lowtide
