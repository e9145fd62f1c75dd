// Spans against all legal orders of small graphs: they hold in each, and each end is reached.
#include "lowtide/analysis/spans.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "lowtide/analysis/node_set.h"
#include "lowtide/model/lifetimes.h"
#include "lowtide/model/lower.h"
#include "support/random_graph.h"

namespace lowtide {
namespace {

OrderProblem random_problem(std::uint64_t seed, int num_nodes) {
  return lower_order(testing::random_graph(seed, {.num_nodes = num_nodes})).problem;
}

bool is_legal(const OrderProblem& problem, const Schedule& schedule) {
  const auto steps = steps_of(problem, schedule);
  for (NodeId v : problem.nodes())
    for (NodeId u : problem.predecessors[v])
      if (steps[u] > steps[v]) return false;
  return true;
}

template <class Visit>
void for_each_legal_order(const OrderProblem& problem, const Visit& visit) {
  Schedule schedule = program_order_of(problem);
  do {
    if (is_legal(problem, schedule)) visit(schedule);
  } while (std::next_permutation(schedule.begin(), schedule.end()));
}

TEST(Spans, AreWhatAllOrdersShare) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const OrderProblem problem = random_problem(seed, 2 + static_cast<int>(seed % 5));
    Meter meter{Limits()};
    const Spans found = spans(problem, &meter);
    const auto n = static_cast<Step>(problem.num_nodes());
    IdVector<NodeId, Step> first(problem.num_nodes(), n), last(problem.num_nodes(), -1);
    for_each_legal_order(problem, [&](const Schedule& schedule) {
      const auto steps = steps_of(problem, schedule);
      for (NodeId v : problem.nodes()) {
        first[v] = std::min(first[v], steps[v]);
        last[v] = std::max(last[v], steps[v]);
      }
      const auto life = lifetimes(problem, schedule);
      for (TensorId t : problem.tensors()) {
        const Interval may = found.may_live(problem, t);
        ASSERT_TRUE(may.lower <= life[t].lower && life[t].upper <= may.upper) << seed;
        const Interval must = found.must_live(problem, t);
        ASSERT_TRUE(must.empty() || (life[t].lower <= must.lower && must.upper <= life[t].upper))
            << seed;
      }
    });
    EXPECT_EQ(found.asap, first) << seed;
    EXPECT_EQ(found.alap, last) << seed;
  }
}

// The step at which the count stops never makes a bound wrong, and with time it is exact: several
// words of 64 nodes.
TEST(Spans, AreAnytime) {
  const OrderProblem problem = random_problem(1, 300);
  Meter unlimited{Limits()};
  const Spans exact = spans(problem, &unlimited);
  for (std::int64_t steps = 1; steps < unlimited.used(); steps += 97) {
    Meter meter(Limits::within_steps(steps));
    const Spans cut_off = spans(problem, &meter);
    for (NodeId v : problem.nodes()) {
      ASSERT_LE(cut_off.asap[v], exact.asap[v]);
      ASSERT_GE(cut_off.alap[v], exact.alap[v]);
    }
  }
  const Step last = static_cast<Step>(problem.num_nodes()) - 1;
  for (NodeId v : problem.nodes()) {
    ASSERT_EQ(exact.asap[v], static_cast<Step>(reachable(problem.predecessors, v).size()));
    ASSERT_EQ(exact.alap[v], last - static_cast<Step>(reachable(problem.successors, v).size()));
  }
}

}  // namespace
}  // namespace lowtide
