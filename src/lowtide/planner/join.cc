#include "lowtide/planner/join.h"

#include <algorithm>

#include "lowtide/joint/ilp.h"
#include "lowtide/layout/shapes.h"
#include "lowtide/model/layout_bounds.h"
#include "lowtide/order/solvers.h"

namespace lowtide {
namespace {

constexpr std::size_t kMaxIlpNodes = 20;  // it proves graphs up to some 16 to 20 (docs/results.md)

JointPlan to_joint_plan(const Packing& packing) {
  JointPlan plan{packing.schedule, {}, packing.layout.value()};
  for (BufferId buffer : packing.placing.buffer)
    plan.offsets.push_back(packing.layout.best().offsets[buffer]);
  return plan;
}

Packing to_packing(const OrderProblem& problem, const JointPlan& plan, Bytes alignment) {
  LoweredLayout placing = lower_layout(problem, plan.schedule, alignment);
  Layout layout{.offsets = {}, .height = plan.arena};
  layout.offsets.resize(placing.request.problem.buffers.size());
  for (TensorId t : problem.tensors()) layout.offsets[placing.buffer[t]] = plan.offsets[t];
  const Bytes bound = lower_bound(placing.request.problem);
  auto solution = Solution<Layout>::found(std::move(layout), plan.arena, bound);
  return {plan.schedule, std::move(placing), std::move(solution)};
}

// As long as it helps: each better arena is a tighter budget.
void repack_under_arena(const OrderProblem& loads, Bytes alignment, Bytes bound,
                        const Limits& limits, Packing* best) {
  while (best->layout.value() > bound) {
    const RepackGoal goal{
        .budget = best->layout.value() - 1, .arena = bound, .alignment = alignment};
    auto better = repack(loads, *best, goal, limits);
    if (!better) return;
    *best = std::move(*better);
  }
}

}  // namespace

Joined join(const OrderProblem& problem, Packing start, Bytes peak_bound, Bytes alignment,
            const Limits& limits) {
  const OrderProblem loads = load_problem(problem, alignment);
  // Arenas are sums of rounded sizes, and hold what no step does as well.
  Joined joined{std::move(start), align_up(peak_bound, alignment)};
  for (TensorId t : loads.tensors())
    if (is_unread_input(loads, t)) joined.bound = std::max(joined.bound, loads.bytes[t]);
  // Without nodes there is but one order.
  if (problem.num_nodes() == 0) joined.bound = joined.packing.layout.bound();
  if (joined.packing.layout.value() == joined.bound || problem.num_nodes() == 0) return joined;
  const auto order = find_order_solver("auto")->solve(loads, limits);
  joined.bound = std::max(joined.bound, order.bound());
  const auto consider = [&](Packing other) {
    if (other.layout.value() < joined.packing.layout.value()) joined.packing = std::move(other);
  };
  if (joined.packing.layout.value() > joined.bound)
    consider(pack(loads, order.best(), alignment, *find_layout_solver("auto"), limits));
  repack_under_arena(loads, alignment, joined.bound, limits, &joined.packing);
  if (problem.num_nodes() > kMaxIlpNodes) return joined;
  const auto solution =
      solve_joint_ilp(loads, alignment, to_joint_plan(joined.packing), joined.bound, limits);
  consider(to_packing(loads, solution.best(), alignment));
  joined.bound = std::max(joined.bound, solution.bound());
  return joined;
}

}  // namespace lowtide
