// Bounds from a file: what is called proved never exceeds the optimum, whatever the file claims.
#include "lowtide/report/claims.h"

#include <gtest/gtest.h>

#include "lowtide/graph/error.h"
#include "lowtide/io/graph_json.h"
#include "lowtide/io/plan_json.h"
#include "lowtide/model/lower.h"
#include "lowtide/planner/planner.h"
#include "lowtide/verify/verifier.h"
#include "support/brute_force.h"
#include "support/long_tests.h"
#include "support/random_graph.h"

namespace lowtide {
namespace {

Plan from_file(const Graph& graph, const Plan& plan) {
  return parse_plan(format_plan(graph, plan), "plan.json", graph).plan;
}

// The plan of a random graph in some order, with alignment and reuse as the seed says.
Plan some_plan(const Graph& graph, std::uint64_t seed) {
  return plan(graph, {.order = seed % 3 == 0 ? "given" : "greedy",
                      .layout = "best_fit",
                      .step_limit = 1000,
                      .alignment = seed % 2 == 0 ? 1 : 8,
                      .use_reuse = seed % 5 < 2})
      .plan;
}

// The bound as high as the verifier lets it be: the plan claims to be the best there is.
void claim_optimal(Plan* plan) {
  plan->peak_lower_bound_bytes = plan->peak_bytes;
  plan->arena_lower_bound_bytes = plan->arena_bytes;
  plan->order_status = plan->layout_status = Status::kOptimal;
}

TEST(Claims, AreCalledProvedOnlyUpToTheOptimum) {
  std::uint64_t false_claims = 0;
  const std::uint64_t seeds = testing::cases(300, 20'000);
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    const Graph graph = testing::random_graph(seed, {.num_nodes = seed % 2 == 0 ? 7 : 3});
    Plan made = some_plan(graph, seed);
    claim_optimal(&made);
    Plan plan = from_file(graph, made);
    ASSERT_TRUE(verify(graph, plan).empty());
    ASSERT_TRUE(plan.peak_bound_is_claim && plan.arena_bound_is_claim);

    const OrderProblem problem = lower_order(graph, !plan.reuses.empty()).problem;
    const Bytes least_peak = testing::optimal_peak(problem);
    EXPECT_LE(proved_peak_bound(graph, plan, Limits()), least_peak) << seed;
    const LoweredLayout placing = lower_layout(problem, plan.schedule, plan.alignment);
    const LayoutProblem& layout = placing.request.problem;
    if (plan.reuses.empty() && layout.buffers.size() <= 6) {
      EXPECT_LE(proved_arena_bound(graph, plan), testing::optimal_height(layout)) << seed;
    }
    prove_claims(graph, Limits(), &plan);
    if (least_peak < plan.peak_bytes) {
      ++false_claims;
      EXPECT_TRUE(plan.peak_bound_is_claim) << seed;
    }
  }
  EXPECT_GT(false_claims, seeds / 20);
}

TEST(Claims, OfOurOwnPlansAreMostlyProvedAgain) {
  const Graph graph = load_graph(std::string(LOWTIDE_TEST_DATA) + "/transformer-train.json");
  Plan loaded = from_file(graph, plan(graph, {.step_limit = 100'000}).plan);
  prove_claims(graph, Limits(), &loaded);
  EXPECT_FALSE(loaded.peak_bound_is_claim);
  EXPECT_FALSE(loaded.arena_bound_is_claim);
}

TEST(Claims, OfAPlanMadeHereAreProofs) {
  const Graph graph = testing::random_graph(1);
  const Plan made = plan(graph, {.step_limit = 1000}).plan;
  EXPECT_FALSE(made.peak_bound_is_claim || made.arena_bound_is_claim);
  EXPECT_EQ(proved_peak_bound(graph, made, Limits()), made.peak_lower_bound_bytes);
  EXPECT_EQ(proved_arena_bound(graph, made), made.arena_lower_bound_bytes);
}

// With the largest alignment, sizes cannot be rounded up; a plan may name it all the same.
TEST(Claims, OfAHugeAlignmentAreNoOverflow) {
  const Graph graph = parse_graph(
      R"({"format":"lowtide-graph","version":1,"tensors":[{"name":"a","bytes":5},{"name":"b","bytes":5}],
          "nodes":[{"name":"n","outputs":["a"]},{"name":"m","outputs":["b"]}]})",
      "g.json");
  const std::string text =
      R"({"format":"lowtide-plan","version":1,"graph":"","schedule":["n","m"],"offsets":{"a":0,"b":0},
          "alignment":9223372036854775807,"peak_bytes":5,"peak_lower_bound_bytes":5,"arena_bytes":5,
          "arena_lower_bound_bytes":5,"order_status":"optimal","layout_status":"optimal"})";
  Plan plan = parse_plan(text, "p.json", graph).plan;
  ASSERT_TRUE(verify(graph, plan).empty());
  prove_claims(graph, Limits(), &plan);
  EXPECT_FALSE(plan.arena_bound_is_claim);
}

// A whole number that no plan can have is a wrong plan; what is no whole number is no plan.
TEST(Claims, NumbersBeyondAllPlansAreMismatches) {
  const Graph graph = parse_graph(
      R"({"format":"lowtide-graph","version":1,"tensors":[{"name":"a","bytes":5}],
          "nodes":[{"name":"n","outputs":["a"]}]})",
      "g.json");
  const auto text = [](const std::string& offset, const std::string& arena) {
    return R"({"format":"lowtide-plan","version":1,"graph":"","schedule":["n"],"offsets":{"a":)" +
           offset + R"(},"alignment":1,"peak_bytes":5,"peak_lower_bound_bytes":5,"arena_bytes":)" +
           arena +
           R"(,"arena_lower_bound_bytes":5,"order_status":"optimal","layout_status":"optimal"})";
  };
  EXPECT_TRUE(parse_plan(text("0", "5"), "p", graph).mismatches.empty());
  for (const char* number : {"9223372036854775808", "18446744073709551616", "1e300", "-1e300"}) {
    EXPECT_EQ(parse_plan(text(number, "5"), "p", graph).mismatches.size(), 1U) << number;
    EXPECT_EQ(parse_plan(text("0", number), "p", graph).mismatches.size(), 1U) << number;
  }
  for (const char* number : {"1.5", "\"5\"", "true"}) {
    EXPECT_THROW(parse_plan(text(number, "5"), "p", graph), InputError) << number;
    EXPECT_THROW(parse_plan(text("0", number), "p", graph), InputError) << number;
  }
}

}  // namespace
}  // namespace lowtide
