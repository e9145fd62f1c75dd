// Arenas against brute force: random graphs with reuse, inputs that are freed or read by nobody,
// kept tensors, workspaces and alignments.
#include <gtest/gtest.h>

#include "lowtide/graph/graph_builder.h"
#include "lowtide/model/lifetimes.h"
#include "lowtide/model/lower.h"
#include "lowtide/planner/planner.h"
#include "lowtide/verify/simulator.h"
#include "lowtide/verify/verifier.h"
#include "support/arena_oracle.h"
#include "support/every_order.h"
#include "support/long_tests.h"
#include "support/random_graph.h"

namespace lowtide {
namespace {

using testing::least_arena;
using testing::least_peak;

Graph small_graph(std::uint64_t seed) {
  return testing::random_graph(
      seed, {.num_nodes = 2 + static_cast<int>(seed % 5), .max_bytes = 1 + Bytes(seed % 7)});
}

Bytes alignment_for(std::uint64_t seed) { return seed % 3 == 0 ? 2 : 1; }

// a(100) -> n1 takes its bytes for b(1, kept) -> c(90, kept) goes where a's other bytes were.
Graph shrinking_graph() {
  GraphBuilder builder("shrinking");
  builder.add_tensor({.name = "a", .bytes = 100});
  builder.add_tensor({.name = "b", .bytes = 1, .output = true});
  builder.add_tensor({.name = "c", .bytes = 90, .output = true});
  builder.add_node({.name = "n0", .outputs = {"a"}});
  builder.add_node({.name = "n1", .inputs = {"a"}, .outputs = {"b"}, .may_reuse = {{"b", "a"}}});
  builder.add_node({.name = "n2", .inputs = {"b"}, .outputs = {"c"}});
  return std::move(builder).build();
}

TEST(Arena, TheRestOfBytesTakenOverIsFree) {
  const Plan plan = lowtide::plan(shrinking_graph(), {.alignment = 1, .use_reuse = true}).plan;
  EXPECT_EQ(plan.arena_bytes, 100);
  EXPECT_EQ(plan.layout_status, Status::kOptimal);
  EXPECT_EQ(plan.reuses.size(), 1u);
}

// Each of 30 operators keeps half of what it takes over from the one before for good.
TEST(Arena, ShrinksThirtyTimes) {
  GraphBuilder builder("shrinking thirty times");
  for (int i = 0; i <= 30; ++i) {
    builder.add_tensor({.name = "t" + std::to_string(i), .bytes = 31 - i});
    builder.add_tensor({.name = "kept" + std::to_string(i), .bytes = 1, .output = true});
  }
  builder.add_node({.name = "n0", .outputs = {"t0"}});
  for (int i = 1; i <= 30; ++i) {
    const std::string old = "t" + std::to_string(i - 1), fresh = "t" + std::to_string(i);
    const std::string name = "n" + std::to_string(i);
    builder.add_node(
        {.name = name, .inputs = {old}, .outputs = {fresh}, .may_reuse = {{fresh, old}}});
    builder.add_node({.name = "k" + std::to_string(i),
                      .outputs = {"kept" + std::to_string(i)},
                      .after = {name}});
  }
  const Graph graph = std::move(builder).build();
  const Plan plan = lowtide::plan(graph, {.alignment = 1, .use_reuse = true}).plan;
  EXPECT_EQ(plan.layout_status, Status::kOptimal);
  EXPECT_EQ(plan.arena_bytes, plan.peak_bytes);
}

TEST(Arena, AnInputThatNobodyReadsLivesInNoStep) {
  GraphBuilder builder("unread");
  builder.add_tensor({.name = "x", .bytes = 100});
  builder.add_tensor({.name = "y", .bytes = 130});
  builder.add_tensor({.name = "a", .bytes = 100});
  builder.add_node({.name = "n0", .outputs = {"a"}});
  const Graph graph = std::move(builder).build();
  const Plan plan = lowtide::plan(graph, {.alignment = 1}).plan;
  EXPECT_EQ(plan.peak_bytes, 100);
  EXPECT_EQ(plan.arena_bytes, 130);
  EXPECT_EQ(plan.layout_status, Status::kOptimal);
}

TEST(Arena, HoldsWorkspaces) {
  GraphBuilder builder("workspace");
  builder.add_tensor({.name = "a", .bytes = 100});
  builder.add_tensor({.name = "b", .bytes = 10, .output = true});
  builder.add_node({.name = "n0", .outputs = {"a"}});
  builder.add_node({.name = "n1", .inputs = {"a"}, .outputs = {"b"}, .workspace_bytes = 500});
  const Graph graph = std::move(builder).build();
  const Plan plan = lowtide::plan(graph, {.alignment = 1}).plan;
  EXPECT_EQ(plan.peak_bytes, 610);
  EXPECT_EQ(plan.arena_bytes, 610);
  EXPECT_EQ(plan.workspace_offsets[NodeId(0)], kNoOffset);
  EXPECT_NE(plan.workspace_offsets[NodeId(1)], kNoOffset);
}

TEST(Arena, OfGraphsWithoutNodes) {
  GraphBuilder builder("no nodes");
  builder.add_tensor({.name = "x", .bytes = 3, .output = true});
  builder.add_tensor({.name = "y", .bytes = 4, .output = true});
  builder.add_tensor({.name = "z", .bytes = 5});
  const Graph graph = std::move(builder).build();
  for (const bool joint : {false, true}) {
    const PlanOutcome outcome = plan(graph, {.alignment = 1, .joint = joint});
    EXPECT_EQ(outcome.plan.arena_bytes, 7);
    EXPECT_EQ(outcome.plan.layout_status, Status::kOptimal);
  }
}

// Of the plan's own schedule: no lower arena than the bound, and an optimal one is the least.
TEST(Arena, IsWhatBruteForceFinds) {
  int optimal = 0, with_reuse = 0;
  const auto count = testing::cases(1500, 100'000);
  for (std::uint64_t seed = 0; seed < count; ++seed) {
    const Graph graph = small_graph(seed);
    for (const bool use_reuse : {false, true}) {
      const Bytes alignment = alignment_for(seed);
      const Plan plan =
          lowtide::plan(graph,
                        {.step_limit = 20'000, .alignment = alignment, .use_reuse = use_reuse})
              .plan;
      ASSERT_TRUE(verify(graph, plan).empty()) << seed;
      const Bytes arena = least_arena(graph, plan.schedule, alignment, use_reuse);
      ASSERT_EQ(plan.peak_bytes, least_peak(graph, plan.schedule, use_reuse)) << seed;
      ASSERT_LE(plan.arena_lower_bound_bytes, arena) << seed << " reuse " << use_reuse;
      ASSERT_GE(plan.arena_bytes, arena) << seed << " reuse " << use_reuse;
      optimal += plan.layout_status == Status::kOptimal;
      with_reuse += !plan.reuses.empty();
    }
  }
  EXPECT_GE(optimal, 2 * static_cast<int>(count) - static_cast<int>(count) / 100);
  EXPECT_GT(with_reuse, static_cast<int>(count) / 10);
}

// Over all orders.
TEST(Arena, JointIsWhatBruteForceFindsOverAllOrders) {
  for (std::uint64_t seed = 0; seed < testing::cases(300, 20'000); ++seed) {
    const Graph graph = testing::random_graph(
        seed, {.num_nodes = 2 + static_cast<int>(seed % 4), .reuses = false, .max_bytes = 5});
    const Bytes alignment = alignment_for(seed);
    Bytes arena = kMaxBytes, peak = kMaxBytes;
    testing::for_every_order(lower_order(graph).problem, [&](const Schedule& schedule) {
      arena = std::min(arena, least_arena(graph, schedule, alignment, false));
      peak = std::min(peak, least_peak(graph, schedule, false));
    });
    const PlanOutcome joint = plan(graph, {.alignment = alignment, .joint = true});
    ASSERT_LE(joint.joint_lower_bound_bytes, arena) << seed;
    ASSERT_GE(joint.plan.arena_bytes, arena) << seed;
    const Plan split = plan(graph, {.alignment = alignment}).plan;
    ASSERT_LE(split.peak_lower_bound_bytes, peak) << seed;
    ASSERT_EQ(split.peak_bytes, peak) << seed;
  }
}

// The least peak over all orders and all choices of reuses.
TEST(Arena, PeaksWithReuseAreWhatBruteForceFindsOverAllOrders) {
  for (std::uint64_t seed = 0; seed < testing::cases(500, 50'000); ++seed) {
    const Graph graph = small_graph(seed);
    Bytes peak = kMaxBytes;
    testing::for_every_order(lower_order(graph).problem, [&](const Schedule& schedule) {
      peak = std::min(peak, least_peak(graph, schedule, true));
    });
    const Plan plan = lowtide::plan(graph, {.alignment = 1, .use_reuse = true}).plan;
    ASSERT_LE(plan.peak_lower_bound_bytes, peak) << seed;
    ASSERT_EQ(plan.peak_bytes, peak) << seed;
  }
}

}  // namespace
}  // namespace lowtide
