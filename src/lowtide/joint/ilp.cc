#include "lowtide/joint/ilp.h"

#include <algorithm>

#include "lowtide/mip/highs.h"

namespace lowtide {

Solution<JointPlan> solve_joint_ilp(const OrderProblem& problem, Bytes alignment, JointPlan start,
                                    Bytes bound, const Limits& limits) {
  const Bytes arena = start.arena;
  auto solution = Solution<JointPlan>::found(std::move(start), arena, std::min(bound, arena));
  if (solution.status() == Status::kOptimal || !mip::is_available()) return solution;
  JointProgram program = build_joint_program(problem, alignment, arena);
  program.order.model.variables[static_cast<std::size_t>(program.arena())].lower =
      static_cast<double>((bound + program.unit() - 1) / program.unit());
  const mip::Answer answer =
      mip::solve(program.model(), limits, encode(program, problem, alignment, solution.best()));
  if (!answer.values.empty()) {
    JointPlan plan = decode(program, problem, alignment, answer.values);
    const Bytes value = plan.arena;
    if (value < solution.value())
      solution.improve(
          Solution<JointPlan>::found(std::move(plan), value, std::min(value, solution.bound())));
  }
  constexpr double kTolerance = 1e-4;
  solution.raise_bound(
      mip::proven_bytes(answer.bound, kTolerance, program.unit(), solution.value()));
  return solution;
}

}  // namespace lowtide
