#include "lowtide/order/program/ilp_steps.h"

#include <algorithm>
#include <cmath>

#include "lowtide/analysis/lower_bounds.h"
#include "lowtide/mip/highs.h"
#include "lowtide/model/lifetimes.h"
#include "lowtide/order/program/step_program.h"
#include "lowtide/order/search/contract.h"

namespace lowtide {
namespace {

constexpr std::size_t kMaxVariables = 1'000'000;
// HiGHS's tolerance on an integral variable, times all sizes, is what its bound may be off by.
constexpr double kTolerance = 1e-6;

double tolerance(const StepProgram& program, const OrderProblem& problem) {
  double bytes = 0;
  for (Bytes size : problem.bytes) bytes += static_cast<double>(size);
  return kTolerance * (1 + bytes / static_cast<double>(program.unit));
}

Solution<Schedule> found(const OrderProblem& problem, Schedule schedule, Bytes bound) {
  const Bytes value = peak(problem, schedule);
  return Solution<Schedule>::found(std::move(schedule), value, std::min(bound, value));
}

// Of the core: from `guide`, with `bound` below its peak.
Solution<Schedule> solve_serial(const OrderProblem& core, const Schedule& guide, Bytes bound,
                                const Limits& limits) {
  auto solution = found(core, guide, bound);
  if (solution.status() == Status::kOptimal) return solution;
  StepProgram program = build_step_program(core, Timesteps::kSerial);
  mip::Variable& peak = program.model.variables[static_cast<std::size_t>(program.peak)];
  peak.lower = std::ceil(static_cast<double>(bound) / static_cast<double>(program.unit));
  const mip::Answer answer = mip::solve(program.model, limits, encode(program, core, guide));
  if (!answer.values.empty())
    solution.improve(found(core, decode(program, answer.values), solution.bound()));
  solution.raise_bound(
      mip::proven_bytes(answer.bound, tolerance(program, core), program.unit, solution.value()));
  return solution;
}

}  // namespace

Solution<Schedule> ilp_steps_order(const OrderProblem& problem, Solution<Schedule> start,
                                   const Limits& limits) {
  if (!mip::is_available() || start.status() == Status::kOptimal) return start;
  Meter meter(limits);
  const auto core = contract(problem, &meter);
  if (!core) return start;
  if (step_program_size(core->problem, Timesteps::kSerial) > kMaxVariables) return start;
  const Schedule guide = core->reduce(start.best());
  const Bytes bound = std::max(start.bound(), node_bound(core->problem, guide, &meter));
  const auto solved =
      solve_serial(core->problem, guide, std::min(bound, peak(core->problem, guide)), meter.rest());
  start.improve(found(problem, core->expand(solved.best()), solved.bound()));
  limits.report(start.value(), start.bound());
  return start;
}

Solution<Schedule> ilp_shared_order(const OrderProblem& problem, Solution<Schedule> start,
                                    const Limits& limits) {
  if (!mip::is_available()) return start;
  if (step_program_size(problem, Timesteps::kShared) > kMaxVariables) return start;
  const StepProgram program = build_step_program(problem, Timesteps::kShared);
  const mip::Answer answer = mip::solve(program.model, limits.with_progress(nullptr));
  if (answer.values.empty()) return start;
  return found(problem, decode(program, answer.values), start.bound());
}

}  // namespace lowtide
