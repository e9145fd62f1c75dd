#include "lowtide/model/lower.h"

#include <algorithm>

#include "lowtide/model/lifetimes.h"

namespace lowtide {
namespace {

// The planned tensors of bytes > 0, renumbered; none() for the rest.
IdVector<TensorId, TensorId> problem_tensors(const Graph& graph, LoweredOrder* lowered) {
  IdVector<TensorId, TensorId> of_graph(graph.num_tensors());
  for (TensorId t : graph.tensors())
    if (!graph.is_persistent(t) && graph.bytes(t) > 0)
      of_graph[t] = lowered->graph_tensor.push_back(t);
  return of_graph;
}

std::vector<TensorId> mapped(std::span<const TensorId> tensors,
                             const IdVector<TensorId, TensorId>& of_graph) {
  std::vector<TensorId> kept;
  for (TensorId t : tensors)
    if (!of_graph[t].is_none()) kept.push_back(of_graph[t]);
  return kept;
}

// The pairs of v that can take effect at all, at most one for each tensor.
std::vector<Reuse> usable_reuses(const Graph& graph, NodeId v,
                                 const IdVector<TensorId, TensorId>& of_graph) {
  std::vector<Reuse> usable;
  for (const Reuse& reuse : graph.may_reuse(v)) {
    const Reuse lowered{of_graph[reuse.fresh], of_graph[reuse.old]};
    if (lowered.fresh.is_none() || lowered.old.is_none() || graph.is_output(reuse.old)) continue;
    if (graph.bytes(reuse.fresh) > graph.bytes(reuse.old)) continue;
    const bool taken = std::any_of(usable.begin(), usable.end(), [&](const Reuse& other) {
      return other.fresh == lowered.fresh || other.old == lowered.old;
    });
    if (!taken) usable.push_back(lowered);
  }
  return usable;
}

}  // namespace

LoweredOrder lower_order(const Graph& graph, bool use_reuse) {
  LoweredOrder lowered;
  const auto of_graph = problem_tensors(graph, &lowered);
  OrderProblem& problem = lowered.problem;

  problem.workspace_bytes.reserve(graph.num_nodes());
  problem.is_update.reserve(graph.num_nodes());
  for (NodeId v : graph.nodes()) {
    problem.predecessors.push_row(graph.predecessors(v));
    problem.successors.push_row(graph.successors(v));
    problem.inputs.push_row(mapped(graph.inputs(v), of_graph));
    problem.outputs.push_row(mapped(graph.outputs(v), of_graph));
    problem.workspace_bytes.push_back(graph.workspace_bytes(v));
    problem.is_update.push_back(graph.phase(v) == "optimizer");
    problem.reuses.push_row(use_reuse ? usable_reuses(graph, v, of_graph) : std::vector<Reuse>{});
  }
  for (TensorId t : lowered.graph_tensor) {
    problem.bytes.push_back(graph.bytes(t));
    problem.producer.push_back(graph.producer(t));
    problem.kept.push_back(graph.is_output(t));
    problem.consumers.push_row(graph.consumers(t));
  }
  return lowered;
}

OrderProblem load_problem(OrderProblem problem, Bytes alignment) {
  for (Bytes& bytes : problem.bytes) bytes = align_up(bytes, alignment);
  for (Bytes& bytes : problem.workspace_bytes) bytes = 0;
  return problem;
}

LoweredLayout lower_layout(const OrderProblem& problem, const Schedule& schedule, Bytes alignment) {
  const auto life = lifetimes(problem, schedule);
  IdVector<TensorId, TensorId> shares_with(problem.num_tensors());
  for (const Reuse& reuse : effective_reuses(problem, schedule))
    shares_with[reuse.fresh] = reuse.old;

  LoweredLayout lowered;
  lowered.buffer.resize(problem.num_tensors());
  const auto place = [&](TensorId t) {
    if (!lowered.buffer[t].is_none()) return;
    if (const TensorId old = shares_with[t]; !old.is_none()) {
      const BufferId shared = lowered.buffer[old];
      LOWTIDE_CHECK(!shared.is_none(), "a tensor takes the bytes of one that is not placed yet");
      lowered.buffer[t] = shared;
      Interval& lifetime = lowered.problem.buffers[shared].lifetime;
      lifetime.upper = std::max(lifetime.upper, life[t].upper);
      return;
    }
    // A freeable input that nobody reads is never live, but its bytes have to be somewhere.
    const Interval lifetime = life[t].empty() ? Interval{0, 1} : life[t];
    lowered.buffer[t] =
        lowered.problem.buffers.push_back({.lifetime = lifetime,
                                           .size = align_up(problem.bytes[t], alignment),
                                           .alignment = alignment});
  };
  for (TensorId t : problem.tensors())
    if (problem.producer[t].is_none()) place(t);
  for (NodeId v : schedule)
    for (TensorId t : problem.outputs[v]) place(t);
  return lowered;
}

IdVector<TensorId, Bytes> lift_offsets(const Graph& graph, const LoweredOrder& order,
                                       const LoweredLayout& layout,
                                       const IdVector<BufferId, Bytes>& offsets) {
  IdVector<TensorId, Bytes> lifted(graph.num_tensors(), kNoOffset);
  for (TensorId t : order.problem.tensors())
    lifted[order.graph_tensor[t]] = offsets[layout.buffer[t]];
  return lifted;
}

std::vector<Reuse> lift_reuses(const LoweredOrder& order, const Schedule& schedule) {
  std::vector<Reuse> lifted = effective_reuses(order.problem, schedule);
  for (Reuse& reuse : lifted)
    reuse = {order.graph_tensor[reuse.fresh], order.graph_tensor[reuse.old]};
  return lifted;
}

}  // namespace lowtide
