// Rewriting passes: what each does, and against brute force what it may not change.
#include <gtest/gtest.h>

#include <algorithm>

#include "lowtide/graph/error.h"
#include "lowtide/model/lifetimes.h"
#include "lowtide/model/lower.h"
#include "lowtide/planner/planner.h"
#include "lowtide/rewrite/canonicalize.h"
#include "lowtide/rewrite/passes.h"
#include "lowtide/rewrite/prune.h"
#include "lowtide/rewrite/weight_updates.h"
#include "lowtide/verify/verifier.h"
#include "support/brute_force.h"
#include "support/long_tests.h"
#include "support/random_graph.h"

namespace lowtide {
namespace {

Meter unlimited() { return Meter{Limits()}; }

Graph random_graph(std::uint64_t seed) {
  return testing::random_graph(seed, {.num_nodes = 4 + static_cast<int>(seed % 9)});
}

Bytes optimum(const Graph& graph, bool reuse) {
  return testing::optimal_peak(lower_order(graph, reuse).problem);
}

bool is_legal(const Graph& graph, const Schedule& schedule) {
  std::vector<char> seen(graph.num_nodes(), 0);
  for (NodeId v : schedule) {
    seen[v.index()] = 1;
    for (NodeId u : graph.predecessors(v))
      if (!seen[u.index()]) return false;
  }
  return schedule.size() == graph.num_nodes() &&
         std::count(seen.begin(), seen.end(), 1) == static_cast<std::ptrdiff_t>(seen.size());
}

std::vector<std::string> node_names(const Graph& graph) {
  std::vector<std::string> names;
  for (NodeId v : graph.nodes()) names.emplace_back(graph.node_name(v));
  return names;
}

// A pass that keeps the bound never has a higher optimum, one that does not never a lower; and any
// order comes back as a legal one.
TEST(Rewriting, BoundsHoldAndOrdersComeBack) {
  for (std::uint64_t seed = 0; seed < testing::cases(1000, 100'000); ++seed) {
    const Graph graph = random_graph(seed);
    for (const RewritePass& pass : rewrite_passes()) {
      Meter meter = unlimited();
      const auto rewritten = pass.rewrite(graph, &meter);
      if (!rewritten) continue;
      for (const bool reuse : {false, true}) {
        const Bytes before = optimum(graph, reuse), after = optimum(rewritten->graph, reuse);
        ASSERT_TRUE(pass.keeps_bound ? after <= before : after >= before) << pass.name << seed;
      }
      const Schedule order = testing::random_schedule(rewritten->graph, seed);
      ASSERT_TRUE(is_legal(graph, restore(graph, *rewritten, order))) << pass.name << seed;
    }
  }
}

// Canonicalisation changes no order's needs, at any step.
TEST(Rewriting, CanonicalGraphsNeedTheSameAtEachStep) {
  int changed = 0;
  for (std::uint64_t seed = 0; seed < testing::cases(1000, 100'000); ++seed) {
    const Graph graph = random_graph(seed);
    Meter meter = unlimited();
    const auto rewritten = canonicalize(graph, &meter);
    if (!rewritten) continue;
    ++changed;
    for (const bool reuse : {false, true}) {
      ASSERT_EQ(optimum(rewritten->graph, reuse), optimum(graph, reuse)) << seed;
      const Schedule order = testing::random_schedule(rewritten->graph, seed);
      ASSERT_TRUE(is_legal(graph, order));
      ASSERT_EQ(profile(lower_order(rewritten->graph, reuse).problem, order),
                profile(lower_order(graph, reuse).problem, order))
          << seed;
      ASSERT_TRUE(is_legal(rewritten->graph, testing::random_schedule(graph, seed))) << seed;
    }
  }
  EXPECT_GT(changed, 100);
}

// With the lossless passes a plan is as good, and as proven, as without; with the others it is
// right, and its bound is none of theirs.
TEST(Rewriting, PlansStayRightAndProven) {
  for (std::uint64_t seed = 0; seed < testing::cases(1000, 100'000); ++seed) {
    const Graph graph = random_graph(seed);
    const bool reuse = seed % 2 == 1;
    const Bytes least = optimum(graph, reuse);
    PlanOptions options{
        .step_limit = 100'000, .rewrite = {"prune", "canonicalize"}, .use_reuse = reuse};
    const Plan lossless = plan(graph, options).plan;
    ASSERT_EQ(lossless.peak_bytes, least) << seed;
    ASSERT_EQ(lossless.order_status, Status::kOptimal) << seed;
    options.rewrite = {"prune", "canonicalize", "weight_updates"};
    const Plan restricted = plan(graph, options).plan;
    ASSERT_GE(restricted.peak_bytes, least) << seed;
    ASSERT_LE(restricted.peak_lower_bound_bytes, least) << seed;
    ASSERT_TRUE(verify(graph, restricted).empty()) << seed;
  }
}

TEST(Pruning, LeavesOutWhatNobodyNeedsAndKeepsWhatWrites) {
  GraphBuilder builder;
  builder.add_tensor({.name = "w", .bytes = 1, .kind = TensorKind::kParameter});
  for (const char* name : {"a", "dead1", "dead2", "read"}) builder.add_tensor({name, 4});
  builder.add_tensor({.name = "kept", .bytes = 4, .output = true});
  builder.add_node({.name = "make", .outputs = {"a"}});
  builder.add_node({.name = "first", .inputs = {"a"}, .outputs = {"dead1"}});
  builder.add_node({.name = "second", .inputs = {"dead1"}, .outputs = {"dead2"}});
  builder.add_node({.name = "follower", .outputs = {"read"}, .after = {"second"}});
  builder.add_node({.name = "writes", .inputs = {"read"}, .mutates = {"w"}});
  builder.add_node({.name = "no-results", .inputs = {"read"}});
  builder.add_node({.name = "keep", .inputs = {"a"}, .outputs = {"kept"}});
  const Graph graph = std::move(builder).build();
  Meter meter = unlimited();
  const auto pruned = prune(graph, &meter);
  ASSERT_TRUE(pruned);
  EXPECT_EQ(node_names(pruned->graph),
            (std::vector<std::string>{"make", "follower", "writes", "no-results", "keep"}));
  // What had to follow a dead node follows what that had to follow.
  EXPECT_EQ(pruned->graph.predecessors(NodeId(1)).size(), 1u);
  EXPECT_FALSE(prune(pruned->graph, &meter));
}

// Where the dead node does not fit, the whole graph is planned: its own peak is the optimum.
TEST(Pruning, IsNotToldToCostWhatItNeedNot) {
  GraphBuilder builder;
  builder.add_tensor({.name = "a", .bytes = 1});
  builder.add_tensor({.name = "large", .bytes = 90});
  builder.add_tensor({.name = "dead", .bytes = 10});
  builder.add_tensor({.name = "b", .bytes = 99, .output = true});
  builder.add_node({.name = "a", .outputs = {"a"}});
  builder.add_node({.name = "large", .inputs = {"a"}, .outputs = {"large"}});
  builder.add_node({.name = "dead", .inputs = {"a"}, .outputs = {"dead"}, .after = {"large"}});
  builder.add_node({.name = "b", .inputs = {"large"}, .after = {"a"}});
  builder.add_node({.name = "keep", .outputs = {"b"}, .after = {"b"}});
  const Graph graph = std::move(builder).build();
  for (const auto& passes : {std::vector<std::string>{}, {"prune"}}) {
    const Plan planned = plan(graph, {.rewrite = passes}).plan;
    EXPECT_EQ(planned.peak_bytes, optimum(graph, false));
    EXPECT_EQ(planned.order_status, Status::kOptimal);
  }
}

TEST(Canonicalization, JoinsTwinsAndDropsWhatIsImplied) {
  GraphBuilder builder;
  builder.add_tensor({.name = "w", .bytes = 8, .kind = TensorKind::kParameter});
  builder.add_tensor({.name = "mean", .bytes = 3});
  builder.add_tensor({.name = "deviation", .bytes = 4});
  builder.add_tensor({.name = "kept", .bytes = 5, .output = true});
  builder.add_tensor({.name = "nothing", .bytes = 0});
  builder.add_node({.name = "norm", .inputs = {"w"}, .outputs = {"mean", "kept", "deviation"}});
  builder.add_node({.name = "next", .inputs = {"mean", "deviation"}, .outputs = {"nothing"}});
  builder.add_node({.name = "last",
                    .inputs = {"nothing", "deviation", "mean"},
                    .mutates = {"w"},
                    .after = {"norm", "next"}});
  Meter meter = unlimited();
  const auto canonical = canonicalize(std::move(builder).build(), &meter);
  ASSERT_TRUE(canonical);
  const Graph& graph = canonical->graph;
  EXPECT_EQ(graph.num_tensors(), 3u);  // w, mean with deviation, kept
  EXPECT_EQ(graph.bytes(graph.outputs(NodeId(0))[0]), 7);
  EXPECT_TRUE(graph.inputs(NodeId(0)).empty());
  EXPECT_EQ(graph.mutates(NodeId(2)).size(), 1u);
  ASSERT_EQ(graph.after(NodeId(2)).size(), 1u);
  EXPECT_EQ(graph.after(NodeId(2))[0], NodeId(1));
}

TEST(WeightUpdates, PrecedeWhatFollowsTheirGradient) {
  GraphBuilder builder;
  for (const char* name : {"g1", "g2", "x"}) builder.add_tensor({name, 4});
  builder.add_node({.name = "backward2", .outputs = {"g2", "x"}, .phase = "backward"});
  builder.add_node({.name = "backward1", .inputs = {"x"}, .outputs = {"g1"}, .phase = "backward"});
  builder.add_node({.name = "update1", .inputs = {"g1"}, .phase = "optimizer"});
  builder.add_node({.name = "update2", .inputs = {"g2"}, .phase = "optimizer"});
  const Graph graph = std::move(builder).build();
  Meter meter = unlimited();
  const auto early = weight_updates(graph, &meter);
  ASSERT_TRUE(early);
  EXPECT_EQ(node_names(early->graph),
            (std::vector<std::string>{"backward2", "update2", "backward1", "update1"}));
  EXPECT_EQ(optimum(graph, false), 8);
  EXPECT_EQ(optimum(early->graph, false), 8);
  EXPECT_FALSE(weight_updates(early->graph, &meter));
}

TEST(Rewriting, RefusesUnknownPasses) {
  EXPECT_THROW(plan(random_graph(1), {.rewrite = {"prune", "polish"}}), InputError);
}

}  // namespace
}  // namespace lowtide
