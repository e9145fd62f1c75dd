#include "lowtide/order/solvers.h"

#include <algorithm>
#include <array>

#include "lowtide/analysis/lower_bounds.h"
#include "lowtide/base/parallel.h"
#include "lowtide/mip/highs.h"
#include "lowtide/model/lifetimes.h"
#include "lowtide/order/greedy/inductor.h"
#include "lowtide/order/greedy/list_schedule.h"
#include "lowtide/order/program/ilp.h"
#include "lowtide/order/program/ilp_steps.h"
#include "lowtide/order/search/exact.h"

namespace lowtide {
namespace {

// Steps for the bound of a heuristic: enough for any graph of a few thousand nodes.
constexpr std::int64_t kBoundSteps = 50'000'000;

// The exact search has better bounds: it only looks at the few nodes that need most.
constexpr std::int64_t kFirstLooks = 8;

struct Ordered {
  Schedule schedule;
  Bytes peak;
};

Ordered with_peak(const OrderProblem& problem, Schedule schedule) {
  const Bytes value = peak(problem, schedule);
  return {std::move(schedule), value};
}

// With the reachability bound (5a), as far as the limits let it come.
Solution<Schedule> judged(const OrderProblem& problem, Ordered order, const Limits& limits,
                          std::int64_t steps = kBoundSteps) {
  Meter meter(limits.with_steps(steps));
  const Bytes bound =
      std::max(own_bound(problem), reachability_bound(problem, order.schedule, &meter));
  limits.report(order.peak, bound);
  return Solution<Schedule>::found(std::move(order.schedule), order.peak, bound);
}

Solution<Schedule> given(const OrderProblem& problem, const Limits& limits) {
  return judged(problem, with_peak(problem, program_order_of(problem)), limits);
}

Schedule greedy_freely(const OrderProblem& problem, Meter* meter) {
  return greedy_order(problem, kMaxBytes, meter);
}

using MakeOrder = Schedule (*)(const OrderProblem& problem, Meter* meter);

template <MakeOrder kMake>
Solution<Schedule> simple(const OrderProblem& problem, const Limits& limits) {
  Meter meter(limits);
  return judged(problem, with_peak(problem, kMake(problem, &meter)), limits);
}

constexpr std::array<MakeOrder, 5> kSimpleOrders = {hoisted_order, greedy_freely, lpmf_order,
                                                    dfs_order, bfs_order};

// The best of the simple orders, greedy once more with that as its budget among them; ties go to
// the first. They run on several threads if there are any.
Ordered best_simple_order(const OrderProblem& problem, const Limits& limits) {
  std::array<Schedule, kSimpleOrders.size()> found;
  Meter meter(limits);
  const std::size_t counted = in_order(&meter, found.size(), [&](std::size_t i, Meter* own) {
    if (own->stopped()) return false;
    found[i] = kSimpleOrders[i](problem, own);
    return true;
  });
  Ordered best = with_peak(problem, program_order_of(problem));
  const auto consider = [&](Schedule schedule) {
    Ordered order = with_peak(problem, std::move(schedule));
    if (order.peak < best.peak) best = std::move(order);
  };
  for (std::size_t i = 0; i < counted; ++i)
    if (!found[i].empty()) consider(std::move(found[i]));
  if (!meter.stopped()) consider(greedy_order(problem, best.peak, &meter));
  return best;
}

Solution<Schedule> best(const OrderProblem& problem, const Limits& limits) {
  return judged(problem, best_simple_order(problem, limits), limits);
}

// The best simple order, then the searches that prove or improve it.
Solution<Schedule> exact(const OrderProblem& problem, const Limits& limits) {
  const auto size = static_cast<std::int64_t>(problem.num_nodes() + problem.num_tensors());
  return exact_order(
      problem, judged(problem, best_simple_order(problem, limits), limits, kFirstLooks * size),
      limits);
}

// The best simple order, then the integer program.
Solution<Schedule> ilp(const OrderProblem& problem, const Limits& limits) {
  if (!mip::is_available()) return best(problem, limits);
  return ilp_order(problem, best(problem, limits).best(), limits);
}

// The paper's program, with its own timesteps and with shared ones.
Solution<Schedule> ilp_steps(const OrderProblem& problem, const Limits& limits) {
  return ilp_steps_order(problem, best(problem, limits), limits);
}
Solution<Schedule> ilp_shared(const OrderProblem& problem, const Limits& limits) {
  return ilp_shared_order(problem, given(problem, limits), limits);
}

constexpr std::array kSolvers = {
    OrderSolver{"auto", true, "the default: simple orders first, then the exact search", exact},
    OrderSolver{"exact", true, "bounds, contraction and budget searches; a proof for most graphs",
                exact},
    OrderSolver{"ilp", true, "integer programs on HiGHS, who runs before whom; a second opinion",
                ilp, true},
    OrderSolver{"ilp_steps", true,
                "MODeL's program, generate and preserve; to compare, small graphs", ilp_steps,
                true},
    OrderSolver{"ilp_shared", false, "MODeL's shortened horizon; to compare, small graphs",
                ilp_shared, true},
    OrderSolver{"best", false, "the best of all that follow; for huge graphs in a hurry", best},
    OrderSolver{"given", false, "program order as it stands; to measure against", given},
    OrderSolver{"hoist", false, "program order with early weight updates; training graphs",
                simple<hoisted_order>},
    OrderSolver{"greedy", false, "free moves, then least growth; graphs with parallel branches",
                simple<greedy_freely>},
    OrderSolver{"lpmf", false, "Inductor's: least peak memory first; fused forward graphs",
                simple<lpmf_order>},
    OrderSolver{"dfs", false, "Inductor's: depth first by bytes touched; inference, many branches",
                simple<dfs_order>},
    OrderSolver{"bfs", false, "Inductor's: earliest predecessors first; wide and shallow graphs",
                simple<bfs_order>},
};

}  // namespace

std::span<const OrderSolver> order_solvers() { return kSolvers; }

const OrderSolver* find_order_solver(std::string_view name) {
  for (const OrderSolver& solver : order_solvers())
    if (name == solver.name) return &solver;
  return nullptr;
}

}  // namespace lowtide
