#include "lowtide/model/lifetimes.h"

#include <algorithm>

namespace lowtide {

Schedule program_order_of(const OrderProblem& problem) {
  Schedule schedule;
  schedule.reserve(problem.num_nodes());
  for (NodeId v : problem.nodes()) schedule.push_back(v);
  return schedule;
}

IdVector<NodeId, Step> steps_of(const OrderProblem& problem, const Schedule& schedule) {
  LOWTIDE_CHECK(schedule.size() == problem.num_nodes(), "a schedule holds every node once");
  IdVector<NodeId, Step> steps(schedule.size(), -1);
  for (std::size_t i = 0; i < schedule.size(); ++i) steps[schedule[i]] = static_cast<Step>(i);
  return steps;
}

IdVector<TensorId, Interval> lifetimes(const OrderProblem& problem, const Schedule& schedule) {
  const auto steps = steps_of(problem, schedule);
  const auto end = static_cast<Step>(schedule.size());
  IdVector<TensorId, Interval> result(problem.num_tensors());
  for (TensorId t : problem.tensors()) {
    const NodeId producer = problem.producer[t];
    Interval& life = result[t];
    life.lower = producer.is_none() ? 0 : steps[producer];
    life.upper = producer.is_none() ? 0 : life.lower + 1;
    for (NodeId consumer : problem.consumers[t])
      life.upper = std::max(life.upper, steps[consumer] + 1);
    if (problem.kept[t]) life.upper = end;
  }
  return result;
}

std::vector<Reuse> effective_reuses(const OrderProblem& problem, const Schedule& schedule) {
  std::vector<Reuse> effective;
  if (problem.reuses.num_items() == 0) return effective;
  const auto life = lifetimes(problem, schedule);
  for (std::size_t i = 0; i < schedule.size(); ++i)
    for (const Reuse& reuse : problem.reuses[schedule[i]])
      if (life[reuse.old].upper == static_cast<Step>(i) + 1) effective.push_back(reuse);
  return effective;
}

std::vector<Bytes> profile(const OrderProblem& problem, const Schedule& schedule, Bytes alignment) {
  const auto size_of = [&](TensorId t) {
    return alignment == 1 ? problem.bytes[t] : align_up(problem.bytes[t], alignment);
  };
  const auto life = lifetimes(problem, schedule);
  std::vector<Bytes> change(schedule.size() + 1, 0);
  for (TensorId t : problem.tensors()) {
    if (life[t].empty()) continue;
    change[static_cast<std::size_t>(life[t].lower)] += size_of(t);
    change[static_cast<std::size_t>(life[t].upper)] -= size_of(t);
  }
  std::vector<Bytes> needed(schedule.size(), 0);
  Bytes live = 0;
  for (std::size_t i = 0; i < schedule.size(); ++i) {
    live += change[i];
    needed[i] = live + problem.workspace_bytes[schedule[i]];
    for (const Reuse& reuse : problem.reuses[schedule[i]])
      if (life[reuse.old].upper == static_cast<Step>(i) + 1) needed[i] -= size_of(reuse.fresh);
  }
  return needed;
}

Bytes peak(const OrderProblem& problem, const Schedule& schedule, Bytes alignment) {
  const auto needed = profile(problem, schedule, alignment);
  return needed.empty() ? 0 : *std::max_element(needed.begin(), needed.end());
}

}  // namespace lowtide
