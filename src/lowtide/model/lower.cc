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

// The pairs that can take effect at all.
std::vector<Reuse> usable_reuses(const Graph& graph, std::span<const Reuse> pairs,
                                 const IdVector<TensorId, TensorId>& of_graph) {
  std::vector<Reuse> usable;
  for (const Reuse& reuse : pairs) {
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

// `reuses_of(v)`: the pairs of node v.
template <class ReusesOf>
LoweredOrder lower(const Graph& graph, const ReusesOf& reuses_of) {
  LoweredOrder lowered;
  const auto of_graph = problem_tensors(graph, &lowered);
  OrderProblem& problem = lowered.problem;
  for (TensorId t : lowered.graph_tensor) {
    problem.bytes.push_back(graph.bytes(t));
    problem.producer.push_back(graph.producer(t));
    problem.kept.push_back(graph.is_output(t));
    problem.consumers.push_row(graph.consumers(t));
  }
  problem.workspace_bytes.assign(graph.num_nodes(), 0);
  problem.is_update.reserve(graph.num_nodes());
  for (NodeId v : graph.nodes()) {
    problem.predecessors.push_row(graph.predecessors(v));
    problem.successors.push_row(graph.successors(v));
    problem.inputs.push_row(mapped(graph.inputs(v), of_graph));
    std::vector<TensorId> outputs = mapped(graph.outputs(v), of_graph);
    if (graph.workspace_bytes(v) > 0) {
      outputs.push_back(lowered.graph_tensor.push_back(TensorId::none()));
      problem.bytes.push_back(graph.workspace_bytes(v));
      problem.producer.push_back(v);
      problem.kept.push_back(false);
      problem.consumers.push_row(std::vector<NodeId>{});
    }
    problem.outputs.push_row(outputs);
    problem.is_update.push_back(graph.phase(v) == "optimizer");
    problem.reuses.push_row(usable_reuses(graph, reuses_of(v), of_graph));
  }
  return lowered;
}

// Makes the buffers of a layout, tensor by tensor in the order in which they are made.
class LayoutLowering {
 public:
  LayoutLowering(const OrderProblem& problem, const Schedule& schedule, Bytes alignment,
                 Takeovers takeovers)
      : problem_(problem),
        alignment_(alignment),
        takeovers_(takeovers),
        life_(lifetimes(problem, schedule)),
        takes_over_(problem.num_tensors()) {
    for (const Reuse& reuse : effective_reuses(problem, schedule))
      takes_over_[reuse.fresh] = reuse.old;
    lowered_.buffer.resize(problem.num_tensors());
    for (TensorId t : problem.tensors())
      if (problem.producer[t].is_none()) place(t);
    for (NodeId v : schedule)
      for (TensorId t : problem.outputs[v]) place(t);
  }

  LoweredLayout take() { return std::move(lowered_); }

 private:
  LayoutRequest& request() { return lowered_.request; }
  Bytes size_of(TensorId t) const { return align_up(problem_.bytes[t], alignment_); }

  void place(TensorId t) {
    const TensorId old = takes_over_[t];
    if (old.is_none() || takeovers_ == Takeovers::kPermitted) {
      lowered_.buffer[t] = request().problem.buffers.push_back(
          {.lifetime = placed_lifetime(t), .size = size_of(t), .alignment = alignment_});
      if (!old.is_none()) request().may_reuse.push_back({lowered_.buffer[old], lowered_.buffer[t]});
    } else {
      lowered_.buffer[t] = lowered_.buffer[old];
      take_over(t);
    }
  }

  Interval placed_lifetime(TensorId t) {
    if (is_unread_input(problem_, t)) {
      const Step moment = --moments_before_;
      return {moment, moment + 1};
    }
    return life_[t].empty() ? Interval{0, 1} : life_[t];  // kept, in a graph of no steps
  }

  // In the step of the takeover the buffer still holds all of what is taken over.
  void take_over(TensorId t) {
    const BufferId b = lowered_.buffer[t];
    LOWTIDE_CHECK(!b.is_none(), "a tensor takes the bytes of one that is not placed yet");
    Buffer& buffer = request().problem.buffers[b];
    buffer.lifetime.upper = std::max(buffer.lifetime.upper, life_[t].upper);
    const Interval held{life_[t].lower + 1, life_[t].upper};
    if (size_of(t) == buffer.size || held.empty()) return;
    request().gaps.push_back({.buffer = b, .lifetime = held, .window = Window{0, size_of(t)}});
  }

  const OrderProblem& problem_;
  Bytes alignment_;
  Takeovers takeovers_;
  IdVector<TensorId, Interval> life_;
  IdVector<TensorId, TensorId> takes_over_;
  Step moments_before_ = 0;  // the earliest step given to an unread input so far
  LoweredLayout lowered_;
};

}  // namespace

LoweredOrder lower_order(const Graph& graph, bool use_reuse) {
  return lower(graph,
               [&](NodeId v) { return use_reuse ? graph.may_reuse(v) : std::span<const Reuse>(); });
}

LoweredOrder lower_order(const Graph& graph, std::span<const Reuse> reuses) {
  IdVector<NodeId, std::vector<Reuse>> of_node(reuses.empty() ? 0 : graph.num_nodes());
  for (const Reuse& reuse : reuses) of_node[graph.producer(reuse.fresh)].push_back(reuse);
  return lower(graph, [&](NodeId v) {
    return reuses.empty() ? std::span<const Reuse>() : std::span<const Reuse>(of_node[v]);
  });
}

LoweredLayout lower_layout(const OrderProblem& problem, const Schedule& schedule, Bytes alignment,
                           Takeovers takeovers) {
  return LayoutLowering(problem, schedule, alignment, takeovers).take();
}

OrderProblem load_problem(OrderProblem problem, Bytes alignment) {
  for (Bytes& bytes : problem.bytes) bytes = align_up(bytes, alignment);
  return problem;
}

Bytes arena_load(const OrderProblem& problem, const Schedule& schedule, Bytes alignment) {
  Bytes load = peak(problem, schedule, alignment);
  for (TensorId t : problem.tensors())
    if (is_unread_input(problem, t)) load = std::max(load, align_up(problem.bytes[t], alignment));
  return load;
}

void lift_layout(const LoweredOrder& order, const LoweredLayout& layout,
                 const IdVector<BufferId, Bytes>& offsets, const Graph& graph, Plan* plan) {
  const auto offset_of = [&](TensorId t) { return offsets[layout.buffer[t]]; };
  plan->offsets.assign(graph.num_tensors(), kNoOffset);
  plan->workspace_offsets.assign(graph.num_nodes(), kNoOffset);
  for (TensorId t : order.problem.tensors()) {
    Bytes& offset = order.is_workspace(t) ? plan->workspace_offsets[order.problem.producer[t]]
                                          : plan->offsets[order.graph_tensor[t]];
    offset = offset_of(t);
  }
  plan->reuses.clear();
  for (const Reuse& reuse : effective_reuses(order.problem, plan->schedule))
    if (offset_of(reuse.fresh) == offset_of(reuse.old))
      plan->reuses.push_back({order.graph_tensor[reuse.fresh], order.graph_tensor[reuse.old]});
}

}  // namespace lowtide
