// Equation 9. The model is tested without a solver by the points that plans stand for, and with one
// against brute force: all orders, each laid out exactly.
#include <gtest/gtest.h>

#include "lowtide/joint/ilp.h"
#include "lowtide/layout/solvers.h"
#include "lowtide/mip/highs.h"
#include "lowtide/model/lifetimes.h"
#include "lowtide/model/lower.h"
#include "lowtide/verify/layout_verifier.h"
#include "support/brute_force.h"
#include "support/every_order.h"
#include "support/long_tests.h"
#include "support/mip_point.h"
#include "support/random_graph.h"
#include "support/split_graphs.h"

namespace lowtide {
namespace {

using testing::broken_by;
using testing::for_every_order;

// This order, laid out exactly.
JointPlan plan_of(const OrderProblem& problem, const Schedule& schedule, Bytes alignment) {
  const LoweredLayout placing = lower_layout(problem, schedule, alignment);
  const auto layout = find_layout_solver("exact")->solve(placing.request.problem, Limits());
  JointPlan plan{schedule, {}, layout.value()};
  for (TensorId t : problem.tensors())
    plan.offsets.push_back(layout.best().offsets[placing.buffer[t]]);
  return plan;
}

// "" or what is wrong: in the words of the layout that the order asks for.
std::string wrong_with(const OrderProblem& problem, const JointPlan& plan, Bytes alignment) {
  const LoweredLayout placing = lower_layout(problem, plan.schedule, alignment);
  Layout layout{.offsets = {}, .height = plan.arena};
  layout.offsets.resize(placing.request.problem.buffers.size());
  for (TensorId t : problem.tensors()) layout.offsets[placing.buffer[t]] = plan.offsets[t];
  return layout_error(placing.request.problem, layout);
}

OrderProblem small_problem(std::uint64_t seed, int num_nodes) {
  const Graph graph =
      testing::random_graph(seed, {.num_nodes = num_nodes, .reuses = false, .max_bytes = 9});
  return lower_order(graph).problem;
}

TEST(Together, IsTrueOfEveryOrder) {
  int never = 0, always = 0;
  for (std::uint64_t seed = 0; seed < testing::cases(300, 20'000); ++seed) {
    const OrderProblem problem = small_problem(seed, 5);
    Meter meter{Limits()};
    const Spans bounds = spans(problem, &meter);
    const TogetherTest together(problem, bounds);
    for_every_order(problem, [&](const Schedule& schedule) {
      const auto life = lifetimes(problem, schedule);
      for (TensorId i : problem.tensors())
        for (TensorId j : problem.tensors()) {
          if (i == j) continue;
          EXPECT_EQ(together(i, j), together(j, i)) << seed;
          const bool meet = life[i].intersects(life[j]);
          never += together(i, j) == Together::kNever;
          always += together(i, j) == Together::kAlways;
          EXPECT_FALSE(meet && together(i, j) == Together::kNever) << seed;
          EXPECT_FALSE(!meet && together(i, j) == Together::kAlways) << seed;
        }
    });
  }
  EXPECT_GT(never, 0);
  EXPECT_GT(always, 0);
}

TEST(JointIlp, EveryPlanIsAPointAndComesBack) {
  for (std::uint64_t seed = 0; seed < testing::cases(200, 10'000); ++seed) {
    const OrderProblem problem = small_problem(seed, 6);
    const Bytes alignment = seed % 2 == 0 ? 1 : 4;
    const Graph graph =
        testing::random_graph(seed, {.num_nodes = 6, .reuses = false, .max_bytes = 9});
    const JointPlan plan = plan_of(problem, testing::random_schedule(graph, seed), alignment);
    const JointProgram ilp = build_joint_program(problem, alignment, plan.arena);
    const auto point = encode(ilp, problem, alignment, plan);
    EXPECT_EQ(broken_by(ilp.model(), point), "") << seed;
    const JointPlan decoded = decode(ilp, problem, alignment, point);
    EXPECT_EQ(decoded.schedule, plan.schedule) << seed;
    EXPECT_LE(decoded.arena, plan.arena) << seed;
    EXPECT_EQ(wrong_with(problem, decoded, alignment), "") << seed;
  }
}

TEST(JointIlp, RefusesOverlapsAndIllegalOrders) {
  const OrderProblem problem = lower_order(testing::strict_graph()).problem;
  const JointPlan plan = plan_of(problem, program_order_of(problem), 1);
  const JointProgram ilp = build_joint_program(problem, 1, 100);
  const auto point = encode(ilp, problem, 1, plan);
  ASSERT_EQ(broken_by(ilp.model(), point), "");
  const auto life = lifetimes(problem, plan.schedule);
  for (const JointProgram::Pair& pair : ilp.pairs) {
    if (!life[pair.first].intersects(life[pair.second])) continue;
    JointPlan overlapping = plan;
    overlapping.offsets[pair.first] = overlapping.offsets[pair.second];
    EXPECT_NE(broken_by(ilp.model(), encode(ilp, problem, 1, overlapping)), "");
  }
  for (std::size_t v = 0; v < problem.num_nodes(); ++v) {  // v runs again at its last step
    auto twice = point;
    const NodeId node(v);
    if (ilp.order.spans.asap[node] == ilp.order.spans.alap[node]) continue;
    auto at = static_cast<std::size_t>(ilp.order.first_generate[node]);
    for (Step step = ilp.order.spans.asap[node]; step <= ilp.order.spans.alap[node]; ++step, ++at)
      if (twice[at] == 0) {
        twice[at] = 1;
        break;
      }
    EXPECT_NE(broken_by(ilp.model(), twice), "") << v;
  }
}

void expect_optimum(const OrderProblem& problem, Bytes alignment, const std::string& what) {
  const Bytes optimum = testing::optimal_arena(problem, alignment);
  const JointPlan start = plan_of(problem, program_order_of(problem), alignment);
  const auto solution = solve_joint_ilp(problem, alignment, start, 0, Limits());
  EXPECT_EQ(solution.value(), optimum) << what;
  EXPECT_EQ(solution.status(), Status::kOptimal) << what;
  EXPECT_EQ(wrong_with(problem, solution.best(), alignment), "") << what;
  EXPECT_EQ(solution.best().arena, solution.value()) << what;
}

TEST(JointIlp, ItsOptimumIsBruteForces) {
  if (!mip::is_available()) GTEST_SKIP() << "built without HiGHS";
  for (std::uint64_t seed = 0; seed < testing::cases(25, 1'000); ++seed)
    expect_optimum(small_problem(seed, 4 + static_cast<int>(seed % 3)), seed % 2 == 0 ? 1 : 4,
                   std::to_string(seed));
}

// A freeable input that nobody reads takes room in the first step, whoever runs then.
TEST(JointIlp, AnUnreadInputTakesRoom) {
  if (!mip::is_available()) GTEST_SKIP() << "built without HiGHS";
  GraphBuilder builder("unread");
  builder.add_tensor({.name = "idle", .bytes = 5, .kind = TensorKind::kActivation});
  for (const auto& [name, bytes] : {std::pair<std::string, Bytes>{"a", 7}, {"b", 4}, {"c", 3}}) {
    builder.add_tensor({.name = name, .bytes = bytes, .kind = TensorKind::kActivation});
    builder.add_node({.name = name, .op = "make", .outputs = {name}});
  }
  const OrderProblem problem = lower_order(std::move(builder).build()).problem;
  expect_optimum(problem, 1, "8: c runs beside it");
}

TEST(JointIlp, BeatsTheSplit) {
  if (!mip::is_available()) GTEST_SKIP() << "built without HiGHS";
  expect_optimum(lower_order(testing::unlucky_graph()).problem, 1, "8, by another optimal order");
  expect_optimum(lower_order(testing::strict_graph()).problem, 1, "11, by an order of peak 11");
}

}  // namespace
}  // namespace lowtide
