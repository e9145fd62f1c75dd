#include "lowtide/planner/planner.h"

#include "lowtide/layout/shapes.h"
#include "lowtide/model/lifetimes.h"
#include "lowtide/model/lower.h"
#include "lowtide/planner/join.h"
#include "lowtide/planner/order_phase.h"
#include "lowtide/planner/repack.h"
#include "lowtide/verify/simulator.h"
#include "lowtide/verify/verifier.h"

namespace lowtide {
namespace {

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

 private:
  Clock::time_point start_ = Clock::now();
};

Limits limits_of(const PlanOptions& options) {
  return Limits::within_seconds(options.time_limit_seconds)
      .with_steps(options.step_limit)
      .with_threads(options.threads)
      .with_seed(options.seed)
      .with_cancellation(options.cancelled)
      .with_progress(options.progress);
}

Status status_of(Bytes value, Bytes bound) {
  return value == bound ? Status::kOptimal : Status::kFeasible;
}

// The order's share of the time; the layout gets the rest and whatever the order leaves.
constexpr double kOrderShare = 0.7;

// The peak of the schedule if only those reuses take effect that the offsets allow.
Bytes peak_with(const OrderProblem& problem, const Schedule& schedule, const Packing& packing) {
  OrderProblem used = problem;
  used.reuses = Csr<NodeId, Reuse>();
  const auto offset_of = [&](TensorId t) {
    return packing.layout.best().offsets[packing.placing.buffer[t]];
  };
  for (NodeId v : problem.nodes()) {
    std::vector<Reuse> row;
    for (const Reuse& reuse : problem.reuses[v])
      if (offset_of(reuse.fresh) == offset_of(reuse.old)) row.push_back(reuse);
    used.reuses.push_row(row);
  }
  return peak(used, schedule);
}

// A layout says what is best if every reuse that can take effect does. Where that leaves a gap, a
// plan that leaves some of them out may have a lower arena: what is claimed has to hold for it too.
// It is taken if it needs no higher peak.
void reconsider_reuses(const OrderProblem& problem, const PlanOptions& options,
                       const Limits& limits, Packing* packing) {
  const Schedule& schedule = packing->schedule;
  const Bytes load = arena_load(problem, schedule, options.alignment);
  const Bytes height = packing->layout.value();
  if (height == load || effective_reuses(problem, schedule).empty()) return;
  Packing permitted{schedule,
                    lower_layout(problem, schedule, options.alignment, Takeovers::kPermitted),
                    Solution<Layout>::unknown(load)};
  if (!limits.expired())
    permitted.layout.improve(
        solve_request(permitted.placing.request, *find_layout_solver(options.layout), limits));
  const Bytes bound = permitted.layout.bound();
  if (permitted.layout.has_value() && permitted.layout.value() < height &&
      peak_with(problem, schedule, permitted) <= peak(problem, schedule))
    *packing = std::move(permitted);
  else
    packing->layout =
        Solution<Layout>::found(std::move(packing->layout.best()), height, std::min(height, bound));
}

// Where the layout leaves gaps, another order within the same peak may leave none.
void repack_gaps(const OrderProblem& problem, const PlanOptions& options, const Limits& limits,
                 Packing* packing) {
  if (options.order != "auto" || options.layout != "auto") return;  // told what to do
  if (limits.expired()) return;
  const RepackGoal goal{.budget = peak(problem, packing->schedule),
                        .arena = arena_load(problem, packing->schedule, options.alignment),
                        .alignment = options.alignment};
  auto better = repack(problem, *packing, goal, limits);
  if (!better) return;
  better->layout.improve(
      solve_request(better->placing.request, *find_layout_solver("auto"), limits));
  *packing = std::move(*better);
}

void check_verified(const Graph& graph, const Plan& plan) {
  const auto violations = verify(graph, plan);
  LOWTIDE_CHECK(violations.empty(), graph.name() + ": " + violations.front().text);
}

}  // namespace

PlanOutcome plan(const Graph& graph, const PlanOptions& options) {
  check_options(options);
  check_sizes(graph, options.alignment);
  const Stopwatch total;
  const Limits limits = limits_of(options);
  PlanOutcome outcome;

  const LoweredOrder lowered = lower_order(graph, options.use_reuse);
  outcome.program_peak_bytes = peak(lowered.problem, program_order_of(lowered.problem));

  const Stopwatch order_watch;
  const auto order = solve_order(graph, lowered.problem, outcome.program_peak_bytes, options,
                                 limits.with_seconds(kOrderShare * options.time_limit_seconds));
  outcome.order_seconds = order_watch.seconds();

  const Stopwatch layout_watch;
  Packing packing = pack(lowered.problem, order.best(), options.alignment,
                         *find_layout_solver(options.layout), limits);
  if (options.joint) {
    auto joined =
        join(lowered.problem, std::move(packing), order.bound(), options.alignment, limits);
    packing = std::move(joined.packing);
    outcome.joint_lower_bound_bytes = joined.bound;
  } else {
    repack_gaps(lowered.problem, options, limits, &packing);
    reconsider_reuses(lowered.problem, options, limits, &packing);
  }
  outcome.layout_seconds = layout_watch.seconds();

  Plan& plan = outcome.plan;
  plan.graph_name = graph.name();
  plan.schedule = packing.schedule;
  lift_layout(lowered, packing.placing, packing.layout.best().offsets, graph, &plan);
  plan.alignment = options.alignment;
  plan.peak_bytes = peak(lowered.problem, packing.schedule);
  plan.peak_lower_bound_bytes = order.bound();
  plan.order_status = status_of(plan.peak_bytes, order.bound());
  plan.arena_bytes = packing.layout.value();
  plan.arena_lower_bound_bytes = packing.layout.bound();
  plan.layout_status = packing.layout.status();
  check_verified(graph, plan);
  outcome.total_seconds = total.seconds();
  return outcome;
}

}  // namespace lowtide
