// The verifier: passes right plans, names each kind of wrong one, and agrees with model/lifetimes,
// from which it shares nothing.
#include "lowtide/verify/verifier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "lowtide/graph/graph_builder.h"
#include "lowtide/model/lifetimes.h"
#include "lowtide/model/lower.h"
#include "lowtide/planner/planner.h"
#include "lowtide/verify/simulator.h"
#include "support/byte_oracle.h"
#include "support/long_tests.h"
#include "support/random_graph.h"

namespace lowtide {
namespace {

using Kind = Violation::Kind;

// a -> t(16) -> b -> u(16) -> c -> w(16, kept); d reads nothing and must follow a.
Graph small_graph() {
  GraphBuilder builder("small");
  builder.add_tensor({.name = "p", .bytes = 8, .kind = TensorKind::kParameter});
  builder.add_tensor({.name = "t", .bytes = 16});
  builder.add_tensor({.name = "u", .bytes = 16});
  builder.add_tensor({.name = "w", .bytes = 16, .output = true});
  builder.add_node({.name = "a", .inputs = {"p"}, .outputs = {"t"}});
  builder.add_node({.name = "b", .inputs = {"t"}, .outputs = {"u"}, .may_reuse = {{"u", "t"}}});
  builder.add_node({.name = "c", .inputs = {"u"}, .outputs = {"w"}, .workspace_bytes = 4});
  builder.add_node({.name = "d", .after = {"a"}});
  return std::move(builder).build();
}

const TensorId kP(0), kT(1), kU(2), kW(3);
const NodeId kA(0), kC(2);

Plan right_plan(const Graph& graph) {
  Plan plan;
  plan.graph_name = graph.name();
  plan.schedule = program_order(graph);
  plan.offsets = {kNoOffset, 0, 16, 0};
  plan.workspace_offsets = {kNoOffset, kNoOffset, 32, kNoOffset};
  plan.alignment = 16;
  plan.peak_bytes = 36;
  plan.peak_lower_bound_bytes = 36;
  plan.order_status = Status::kOptimal;
  plan.arena_bytes = 48;
  plan.arena_lower_bound_bytes = 48;
  plan.layout_status = Status::kOptimal;
  return plan;
}

std::vector<Kind> kinds_of(const std::vector<Violation>& violations) {
  std::vector<Kind> kinds;
  for (const Violation& violation : violations) kinds.push_back(violation.kind);
  return kinds;
}

TEST(Verifier, PassesARightPlan) {
  const Graph graph = small_graph();
  EXPECT_THAT(verify(graph, right_plan(graph)), ::testing::IsEmpty());
}

TEST(Verifier, PassesReuseInPlace) {
  const Graph graph = small_graph();
  Plan plan = right_plan(graph);
  plan.reuses = {{kU, kT}};
  plan.offsets = {kNoOffset, 0, 0, 16};
  EXPECT_THAT(verify(graph, plan), ::testing::IsEmpty());
}

struct Corruption {
  Kind kind;
  std::function<void(Plan&)> spoil;
};

class Corruptions : public ::testing::TestWithParam<Corruption> {};

TEST_P(Corruptions, AreCaught) {
  const Graph graph = small_graph();
  Plan plan = right_plan(graph);
  GetParam().spoil(plan);
  EXPECT_THAT(kinds_of(verify(graph, plan)), ::testing::Contains(GetParam().kind));
}

INSTANTIATE_TEST_SUITE_P(
    OnePerKind, Corruptions,
    ::testing::Values(
        Corruption{Kind::kMissingNode, [](Plan& p) { p.schedule.pop_back(); }},
        Corruption{Kind::kRepeatedNode, [](Plan& p) { p.schedule.push_back(NodeId(0)); }},
        Corruption{Kind::kUnknownNode, [](Plan& p) { p.schedule.push_back(NodeId(99)); }},
        Corruption{Kind::kDependency, [](Plan& p) { std::swap(p.schedule[1], p.schedule[2]); }},
        Corruption{Kind::kDependency,
                   [](Plan& p) {
                     std::rotate(p.schedule.begin(), p.schedule.end() - 1, p.schedule.end());
                   }},
        Corruption{Kind::kMissingOffset, [](Plan& p) { p.offsets[kU] = kNoOffset; }},
        Corruption{Kind::kUnwantedOffset, [](Plan& p) { p.offsets[kP] = 0; }},
        Corruption{Kind::kNegativeOffset, [](Plan& p) { p.offsets[kU] = -16; }},
        Corruption{Kind::kMisaligned, [](Plan& p) { p.offsets[kU] = 17; }},
        Corruption{Kind::kMissingOffset, [](Plan& p) { p.workspace_offsets.resize(0); }},
        Corruption{Kind::kUnwantedOffset, [](Plan& p) { p.workspace_offsets[kA] = 0; }},
        Corruption{Kind::kUnwantedOffset, [](Plan& p) { p.offsets.push_back(0); }},
        Corruption{Kind::kNegativeOffset, [](Plan& p) { p.workspace_offsets[kC] = -16; }},
        Corruption{Kind::kMisaligned, [](Plan& p) { p.workspace_offsets[kC] = 33; }},
        Corruption{Kind::kOverlap, [](Plan& p) { p.workspace_offsets[kC] = 16; }},
        Corruption{Kind::kOverlap, [](Plan& p) { p.workspace_offsets[kC] = 0; }},
        Corruption{Kind::kOverlap, [](Plan& p) { p.offsets[kU] = 0; }},
        Corruption{Kind::kOverlap, [](Plan& p) { p.alignment = 1, p.offsets[kU] = 15; }},
        Corruption{Kind::kReuse,
                   [](Plan& p) {
                     p.reuses = {{kW, kU}};
                   }},
        Corruption{Kind::kReuse,
                   [](Plan& p) {
                     p.reuses = {{kU, kT}};
                   }},
        Corruption{Kind::kPeak,
                   [](Plan& p) { p.peak_bytes = 35, p.order_status = Status::kFeasible; }},
        Corruption{Kind::kArena,
                   [](Plan& p) { p.arena_bytes = 64, p.layout_status = Status::kFeasible; }},
        Corruption{Kind::kArena, [](Plan& p) { p.offsets[kT] = kMaxBytes - 63; }},
        Corruption{Kind::kArena, [](Plan& p) { p.workspace_offsets[kC] = kMaxBytes / 16 * 16; }},
        Corruption{Kind::kReuse,
                   [](Plan& p) { p.reuses = {{TensorId(99), kT}, {kU, TensorId(99)}}; }},
        Corruption{Kind::kArena, [](Plan& p) { p.offsets[kU] = kMaxBytes / 16 * 16; }},
        Corruption{Kind::kBound, [](Plan& p) { p.peak_lower_bound_bytes = 37; }},
        Corruption{Kind::kBound, [](Plan& p) { p.arena_lower_bound_bytes = 49; }},
        Corruption{Kind::kBound, [](Plan& p) { p.arena_lower_bound_bytes = -7; }},
        Corruption{Kind::kStatus, [](Plan& p) { p.peak_lower_bound_bytes = 35; }},
        Corruption{Kind::kStatus, [](Plan& p) { p.layout_status = Status::kFeasible; }},
        Corruption{Kind::kAlignment, [](Plan& p) { p.alignment = 0; }}),
    [](const auto& test) {
      std::string name = to_string(test.param.kind);
      std::replace(name.begin(), name.end(), '-', '_');
      return name + "_" + std::to_string(test.index);
    });

TEST(Verifier, LimitsEachKindAndSaysHowManyMore) {
  const Graph graph = testing::random_graph(1, {.num_nodes = 500});
  Plan plan;
  plan.schedule = {};
  const auto violations = verify(graph, plan, 3);
  EXPECT_LT(violations.size(), 12u);
  EXPECT_TRUE(std::any_of(violations.begin(), violations.end(), [](const Violation& violation) {
    return violation.text == "and 497 more of this kind";
  }));
}

// Two definitions of lifetime and peak, written apart, must be one.
TEST(Simulator, AgreesWithTheModel) {
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    const Graph graph = testing::random_graph(seed);
    for (const bool use_reuse : {false, true}) {
      const LoweredOrder lowered = lower_order(graph, use_reuse);
      Plan plan = testing::with_reuses(graph, testing::random_schedule(graph, seed));
      if (!use_reuse) plan.reuses.clear();
      const Simulation simulation = simulate(graph, plan);
      ASSERT_THAT(simulation.impossible_reuses, ::testing::IsEmpty()) << seed;
      ASSERT_EQ(simulation.needed, profile(lowered.problem, plan.schedule)) << seed;
      ASSERT_EQ(simulation.peak, peak(lowered.problem, plan.schedule)) << seed;
    }
  }
}

// Stacking every buffer on top of the others is always a right layout.
TEST(Verifier, PassesStackedLayoutsOfRandomGraphs) {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    const Graph graph = testing::random_graph(seed);
    const LoweredOrder lowered = lower_order(graph, true);
    Plan plan;
    plan.graph_name = graph.name();
    plan.schedule = testing::random_schedule(graph, seed);
    plan.alignment = 8;
    const LoweredLayout placing = lower_layout(lowered.problem, plan.schedule, plan.alignment);
    IdVector<BufferId, Bytes> offsets;
    for (const Buffer& buffer : placing.request.problem.buffers) {
      offsets.push_back(plan.arena_bytes);
      plan.arena_bytes += buffer.size;
    }
    lift_layout(lowered, placing, offsets, graph, &plan);
    plan.peak_bytes = peak(lowered.problem, plan.schedule);
    plan.peak_lower_bound_bytes = plan.peak_bytes;
    plan.arena_lower_bound_bytes = plan.arena_bytes;
    plan.order_status = plan.layout_status = Status::kOptimal;
    const auto violations = verify(graph, plan);
    ASSERT_TRUE(violations.empty()) << seed << ": " << violations.front().text;
  }
}

// One offset or claim of a right plan is another, by a byte or so.
Plan tampered(Plan plan, std::uint64_t seed) {
  const Bytes by = seed % 2 == 0 ? 1 : -1;
  const std::uint64_t at = seed / 16;
  std::vector<Bytes*> places;
  for (Bytes& offset : plan.offsets)
    if (offset != kNoOffset) places.push_back(&offset);
  for (Bytes& offset : plan.workspace_offsets)
    if (offset != kNoOffset) places.push_back(&offset);
  switch (seed / 2 % 8) {
    case 0: plan.peak_bytes += by; break;
    case 1: plan.arena_bytes += by; break;
    case 2: plan.peak_lower_bound_bytes += by; break;
    case 3: std::swap(plan.schedule.front(), plan.schedule[at % plan.schedule.size()]); break;
    case 4:
      if (!plan.reuses.empty()) plan.reuses.pop_back();
      break;
    default:
      if (!places.empty()) *places[at % places.size()] += by;
  }
  return plan;
}

TEST(Verifier, AgreesWithAnOracleThatLooksAtEveryByteInEveryStep) {
  int right = 0, wrong = 0;
  for (std::uint64_t seed = 0; seed < testing::cases(300, 100'000); ++seed) {
    const Graph graph = testing::random_graph(seed, {.num_nodes = 6});
    const Plan plan =
        lowtide::plan(graph, {.step_limit = 2000, .alignment = 1, .use_reuse = true}).plan;
    for (std::uint64_t change = 0; change < 20; ++change) {
      const Plan other = tampered(plan, seed * 20 + change);
      const bool is_right = testing::is_right_byte_by_byte(graph, other);
      ASSERT_EQ(verify(graph, other).empty(), is_right) << seed << ' ' << change;
      ++(is_right ? right : wrong);
    }
  }
  EXPECT_GT(right, 100);
  EXPECT_GT(wrong, 1000);
}

}  // namespace
}  // namespace lowtide
