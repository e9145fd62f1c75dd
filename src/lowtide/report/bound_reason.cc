#include "lowtide/report/bound_reason.h"

#include <algorithm>
#include <numeric>

#include "lowtide/analysis/lower_bounds.h"
#include "lowtide/analysis/node_set.h"
#include "lowtide/model/lifetimes.h"
#include "lowtide/model/lower.h"

namespace lowtide {
namespace {

NodeSet set_of(const std::vector<NodeId>& nodes, std::size_t universe) {
  NodeSet set(universe);
  for (NodeId v : nodes) set.insert(v);
  return set;
}

std::vector<TensorId> forced_at(const OrderProblem& problem, NodeId v) {
  const NodeSet done = set_of(reachable(problem.predecessors, v), problem.num_nodes());
  NodeSet to_come = set_of(reachable(problem.successors, v), problem.num_nodes());
  to_come.insert(v);
  const auto is_forced = [&](TensorId t) {
    const NodeId producer = problem.producer[t];
    if (producer == v) return true;
    if (!producer.is_none() && !done.contains(producer)) return false;
    const auto consumers = problem.consumers[t];
    return problem.kept[t] || std::any_of(consumers.begin(), consumers.end(),
                                          [&](NodeId c) { return to_come.contains(c); });
  };
  std::vector<TensorId> forced;
  for (TensorId t : problem.tensors())
    if (is_forced(t)) forced.push_back(t);
  return forced;
}

// The node with the highest bound 5a. What a node needs in this schedule is at least its bound, so
// nodes are visited by need and the rest is skipped once it cannot win.
NodeId heaviest_node(const OrderProblem& problem, const Schedule& schedule, Meter* meter) {
  const std::vector<Bytes> need = profile(problem, schedule);
  std::vector<std::size_t> by_need(schedule.size());
  std::iota(by_need.begin(), by_need.end(), 0);
  std::stable_sort(by_need.begin(), by_need.end(),
                   [&](std::size_t a, std::size_t b) { return need[a] > need[b]; });
  NodeId heaviest;
  Bytes best = -1;
  for (std::size_t i : by_need) {
    if (need[i] <= best || meter->stopped()) break;
    const Bytes bound = reachability_bound(problem, schedule[i]);
    meter->spend(static_cast<std::int64_t>(problem.num_nodes() + problem.num_tensors()));
    if (bound <= best) continue;
    best = bound;
    heaviest = schedule[i];
  }
  return heaviest;
}

}  // namespace

const char* to_string(BoundKind kind) {
  switch (kind) {
    case BoundKind::kForced: return "forced";
    case BoundKind::kCut: return "cut";
    case BoundKind::kSearch: return "search";
    case BoundKind::kClaim: return "claim";
  }
  return "?";
}

BoundReason explain_bound(const Graph& graph, const Plan& plan, const Limits& limits) {
  BoundReason reason;
  if (plan.schedule.empty()) return reason;
  const LoweredOrder lowered = lower_order(graph, !plan.reuses.empty());
  Meter meter(limits);
  reason.node = heaviest_node(lowered.problem, plan.schedule, &meter);
  if (reason.node.is_none()) return reason;
  reason.forced_bytes = reachability_bound(lowered.problem, reason.node);
  for (TensorId t : forced_at(lowered.problem, reason.node))
    if (!lowered.is_workspace(t)) reason.forced.push_back(lowered.graph_tensor[t]);
  std::stable_sort(reason.forced.begin(), reason.forced.end(),
                   [&](TensorId a, TensorId b) { return graph.bytes(a) > graph.bytes(b); });
  if (reason.forced_bytes >= plan.peak_lower_bound_bytes) return reason;
  const Bytes cut = node_bound(lowered.problem, plan.schedule, &meter);
  reason.kind = cut >= plan.peak_lower_bound_bytes ? BoundKind::kCut
                : plan.peak_bound_is_claim         ? BoundKind::kClaim
                                                   : BoundKind::kSearch;
  return reason;
}

}  // namespace lowtide
