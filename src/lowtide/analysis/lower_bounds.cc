#include "lowtide/analysis/lower_bounds.h"

#include <algorithm>
#include <numeric>

#include "lowtide/analysis/max_flow.h"
#include "lowtide/analysis/node_set.h"
#include "lowtide/model/lifetimes.h"

namespace lowtide {
namespace {

// Where each node stands when v is about to run.
enum class Side : std::uint8_t { kFree, kDone, kToCome };

IdVector<NodeId, Side> sides_at(const OrderProblem& problem, NodeId v, Meter* meter) {
  IdVector<NodeId, Side> side(problem.num_nodes(), Side::kFree);
  const auto ancestors = reachable(problem.predecessors, v);
  const auto descendants = reachable(problem.successors, v);
  meter->spend(static_cast<std::int64_t>(ancestors.size() + descendants.size()));
  for (NodeId u : ancestors) side[u] = Side::kDone;
  for (NodeId w : descendants) side[w] = Side::kToCome;
  side[v] = Side::kToCome;
  return side;
}

// What v needs beside the tensors that are live before it.
Bytes own_bytes(const OrderProblem& problem, NodeId v) {
  Bytes bytes = problem.workspace_bytes[v];
  for (TensorId t : problem.outputs[v]) bytes += problem.bytes[t];
  for (const Reuse& reuse : problem.reuses[v]) bytes -= problem.bytes[reuse.fresh];
  return bytes;
}

bool exists_before(const OrderProblem& problem, TensorId t, const IdVector<NodeId, Side>& side) {
  const NodeId producer = problem.producer[t];
  return producer.is_none() || side[producer] == Side::kDone;
}

bool is_needed_after(const OrderProblem& problem, TensorId t, const IdVector<NodeId, Side>& side) {
  if (problem.kept[t]) return true;
  const auto consumers = problem.consumers[t];
  return std::any_of(consumers.begin(), consumers.end(),
                     [&](NodeId c) { return side[c] == Side::kToCome; });
}

Bytes surely_live(const OrderProblem& problem, const IdVector<NodeId, Side>& side) {
  Bytes live = 0;
  for (TensorId t : problem.tensors())
    if (exists_before(problem, t, side) && is_needed_after(problem, t, side))
      live += problem.bytes[t];
  return live;
}

// The network of the header, without tensors whose cost is the same for every D.
class NodeBoundNetwork {
 public:
  NodeBoundNetwork(const OrderProblem& problem, const IdVector<NodeId, Side>& side)
      : problem_(problem), side_(side), vertex_(problem.num_nodes(), -1), flow_(2) {
    for (NodeId u : problem.nodes())
      if (side[u] == Side::kFree) vertex_[u] = flow_.add_vertex();
    for (NodeId u : problem.nodes())
      if (side[u] == Side::kFree) add_dependencies(u);
    for (TensorId t : problem.tensors()) add_tensor(t);
  }

  Bytes constant() const { return constant_; }
  Bytes run(Meter* meter) {
    const Bytes cut = flow_.run(kSource, kSink);
    meter->spend(flow_.work());
    return cut;
  }

 private:
  static constexpr int kSource = 0;
  static constexpr int kSink = 1;

  int vertex_of(NodeId u) const {
    if (side_[u] == Side::kDone) return kSource;
    return side_[u] == Side::kToCome ? kSink : vertex_[u];
  }
  void add_dependencies(NodeId u) {
    for (NodeId p : problem_.predecessors[u])
      if (side_[p] == Side::kFree) flow_.add_arc(vertex_[u], vertex_[p], MaxFlow::kInfinite);
  }
  void add_tensor(TensorId t) {
    const NodeId producer = problem_.producer[t];
    const int from = producer.is_none() ? kSource : vertex_of(producer);
    if (from == kSink) return;
    if (is_needed_after(problem_, t, side_)) {
      if (from == kSource)
        constant_ += problem_.bytes[t];
      else
        flow_.add_arc(from, kSink, problem_.bytes[t]);
      return;
    }
    add_hyperarc(from, t);
  }
  // Nobody but free nodes and ancestors reads it.
  void add_hyperarc(int from, TensorId t) {
    int tensor = -1;
    for (NodeId c : problem_.consumers[t]) {
      if (side_[c] != Side::kFree) continue;
      if (tensor < 0) {
        tensor = flow_.add_vertex();
        flow_.add_arc(from, tensor, problem_.bytes[t]);
      }
      flow_.add_arc(tensor, vertex_[c], MaxFlow::kInfinite);
    }
  }

  const OrderProblem& problem_;
  const IdVector<NodeId, Side>& side_;
  IdVector<NodeId, int> vertex_;
  MaxFlow flow_;
  Bytes constant_ = 0;
};

// The largest bound(v), visiting by what v needs in `schedule`, most first (see the header).
template <class Bound>
Bytes largest(const OrderProblem& problem, const Schedule& schedule, Meter* meter,
              const Bound& bound) {
  const auto needed = profile(problem, schedule);
  std::vector<std::size_t> by_need(schedule.size());
  std::iota(by_need.begin(), by_need.end(), 0);
  std::sort(by_need.begin(), by_need.end(), [&](std::size_t a, std::size_t b) {
    return needed[a] != needed[b] ? needed[a] > needed[b] : a < b;
  });
  Bytes best = 0;
  for (std::size_t i : by_need) {
    if (needed[i] <= best || meter->stopped()) break;
    best = std::max(best, bound(schedule[i]));
  }
  return best;
}

}  // namespace

Bytes reachability_bound(const OrderProblem& problem, NodeId v) {
  Meter unlimited{Limits()};
  return own_bytes(problem, v) + surely_live(problem, sides_at(problem, v, &unlimited));
}

Bytes node_bound(const OrderProblem& problem, NodeId v, Meter* meter) {
  const auto side = sides_at(problem, v, meter);
  NodeBoundNetwork network(problem, side);
  meter->spend(static_cast<std::int64_t>(problem.num_tensors()));
  const Bytes live = network.constant() + (meter->stopped() ? 0 : network.run(meter));
  return own_bytes(problem, v) + live;
}

Bytes reachability_bound(const OrderProblem& problem, const Schedule& schedule, Meter* meter) {
  return largest(problem, schedule, meter, [&](NodeId v) {
    meter->spend(static_cast<std::int64_t>(problem.num_nodes()));
    return reachability_bound(problem, v);
  });
}

Bytes node_bound(const OrderProblem& problem, const Schedule& schedule, Meter* meter) {
  return largest(problem, schedule, meter, [&](NodeId v) { return node_bound(problem, v, meter); });
}

}  // namespace lowtide
