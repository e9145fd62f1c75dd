#include "lowtide/planner/order_phase.h"

#include "lowtide/analysis/lower_bounds.h"
#include "lowtide/model/lifetimes.h"
#include "lowtide/model/lower.h"
#include "lowtide/order/solvers.h"
#include "lowtide/rewrite/passes.h"

namespace lowtide {
namespace {

Solution<Schedule> solve(const OrderProblem& problem, const PlanOptions& options,
                         const Limits& limits) {
  return find_order_solver(options.order)->solve(problem, limits);
}

Solution<Schedule> solve_rewritten(const Graph& graph, const OrderProblem& problem,
                                   const RewriteOutcome& outcome, const PlanOptions& options,
                                   Meter* meter) {
  const Rewritten& rewritten = *outcome.rewritten;
  const LoweredOrder lowered = lower_order(rewritten.graph, options.use_reuse);
  const auto solution = solve(lowered.problem, options, meter->rest());
  Schedule schedule = restore(graph, rewritten, solution.best());
  const Bytes value = peak(problem, schedule);
  const Bytes bound = outcome.keeps_bound ? solution.bound() : node_bound(problem, schedule, meter);
  auto restored = Solution<Schedule>::found(std::move(schedule), value, bound);
  if (value > solution.value()) restored.improve(solve(problem, options, meter->rest()));
  return restored;
}

}  // namespace

Solution<Schedule> solve_order(const Graph& graph, const OrderProblem& problem, Bytes program_peak,
                               const PlanOptions& options, const Limits& limits) {
  Meter meter(limits);
  const RewriteOutcome outcome = rewrite(graph, options.rewrite, &meter);
  auto solution = outcome.rewritten ? solve_rewritten(graph, problem, outcome, options, &meter)
                                    : solve(problem, options, limits);
  // Whatever a solver says, nobody gets a worse order than the one they came with.
  if (solution.value() > program_peak)
    solution.improve(
        Solution<Schedule>::found(program_order_of(problem), program_peak, solution.bound()));
  return solution;
}

}  // namespace lowtide
