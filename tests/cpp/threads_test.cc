// The same plan for any number of threads under a step budget; tasks on threads.
#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>

#include "families.h"
#include "lowtide/base/parallel.h"
#include "lowtide/model/lifetimes.h"
#include "lowtide/model/lower.h"
#include "lowtide/order/search/propagate.h"
#include "lowtide/order/solvers.h"
#include "lowtide/planner/planner.h"
#include "support/long_tests.h"
#include "support/random_graph.h"

namespace lowtide {
namespace {

TEST(InParallel, RunsEachTaskOnceAndThrowsOn) {
  for (int threads : {1, 2, 7}) {
    std::vector<std::atomic<int>> times(100);
    in_parallel(threads, times.size(), [&](std::size_t i) { ++times[i]; });
    for (const auto& count : times) EXPECT_EQ(count, 1);
    EXPECT_THROW(in_parallel(threads, 3, [](std::size_t) { throw std::runtime_error("no"); }),
                 std::runtime_error);
    in_parallel(threads, 0, [](std::size_t) { FAIL(); });
  }
}

// Tasks of 10 steps each; `stop` ends the row, and so does the end of the steps.
TEST(InOrder, CountsWhatWouldHaveRun) {
  for (int threads : {1, 2, 5}) {
    for (std::int64_t steps : {5, 10, 25, 31, 1000}) {
      for (std::size_t stop : {0, 2, 9}) {
        Meter meter(Limits::within_steps(steps).with_threads(threads));
        const std::size_t counted = in_order(&meter, 5, [&](std::size_t i, Meter* own) {
          for (int k = 0; k < 10 && !own->spend(); ++k) {
          }
          return i != stop;
        });
        const auto paid = static_cast<std::size_t>((steps - 1) / 10);
        EXPECT_EQ(counted, std::min({paid, stop + 1, std::size_t{5}}));
        EXPECT_EQ(meter.stopped(), paid < std::min<std::size_t>(stop + 1, 5));
      }
    }
  }
}

TEST(Limits, AbandonReachesInward) {
  Abandon outer;
  Abandon inner(&outer);
  const Limits limits = Limits().with_abandon(&inner);
  EXPECT_FALSE(limits.expired());
  outer.raise();
  EXPECT_TRUE(limits.expired());
}

void expect_same_for_all_threads(const OrderProblem& problem, std::int64_t steps,
                                 const std::string& label) {
  const Limits limits = Limits::within_steps(steps);
  const auto alone = find_order_solver("exact")->solve(problem, limits);
  for (int threads : {2, 4}) {
    const auto together = find_order_solver("exact")->solve(problem, limits.with_threads(threads));
    ASSERT_EQ(together.best(), alone.best()) << label << ' ' << steps << ' ' << threads;
    ASSERT_EQ(together.bound(), alone.bound()) << label << ' ' << steps << ' ' << threads;
  }
}

TEST(Threads, DoNotChangeOrdersOfHardGraphs) {
  for (const char* family : {"layered:300:20", "layered:1000:10", "layered:1000:32", "rnn:2000",
                             "randwire-eval:500", "weights:500"}) {
    const OrderProblem problem = lower_order(bench::make_family(family)).problem;
    for (std::int64_t steps = 1000; steps < 30'000'000; steps *= 7)
      expect_same_for_all_threads(problem, steps, family);
  }
}

TEST(Threads, DoNotChangeOrdersOfRandomGraphs) {
  for (std::uint64_t seed = 0; seed < testing::cases(60, 1000); ++seed) {
    const Graph graph = testing::random_graph(
        seed, {.num_nodes = 100 + static_cast<int>(seed % 5) * 100, .max_bytes = 1000});
    const OrderProblem problem = lower_order(graph, seed % 3 == 0).problem;
    for (std::int64_t steps : {3000, 100'000, 1'000'000})
      expect_same_for_all_threads(problem, steps, std::to_string(seed));
  }
}

// Parts that propagation looks at side by side imply together what they imply one by one.
TEST(Threads, DoNotChangeImpliedPrecedences) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const OrderProblem problem =
        lower_order(testing::random_graph(seed, {.num_nodes = 300, .max_bytes = 1000})).problem;
    const Schedule guide = find_order_solver("best")->solve(problem, Limits()).best();
    const Bytes least = peak(problem, guide);
    for (const Bytes budget : {least, least * 99 / 100, least * 9 / 10}) {
      for (const std::size_t asked : {std::size_t{8}, problem.num_nodes()}) {
        Meter alone{Limits::within_steps(10'000'000)};
        Meter together{Limits::within_steps(10'000'000).with_threads(4)};
        const Implied one = implied_precedences(problem, budget, guide, asked, &alone);
        const Implied four = implied_precedences(problem, budget, guide, asked, &together);
        ASSERT_EQ(one.infeasible, four.infeasible) << seed;
        ASSERT_EQ(one.precedences, four.precedences) << seed;
        ASSERT_EQ(alone.used(), together.used()) << seed;
      }
    }
  }
}

TEST(Threads, DoNotChangePlans) {
  const Graph graph = bench::make_family("layered:300:20");
  PlanOptions options{.time_limit_seconds = 1000, .step_limit = 300'000};
  const Plan alone = plan(graph, options).plan;
  options.threads = 4;
  const Plan together = plan(graph, options).plan;
  EXPECT_EQ(together.schedule, alone.schedule);
  EXPECT_EQ(together.offsets, alone.offsets);
  EXPECT_EQ(together.peak_lower_bound_bytes, alone.peak_lower_bound_bytes);
}

}  // namespace
}  // namespace lowtide
