// Lower bounds on the peak over all legal orders, from what single nodes need.
//
// (a) Reachability: when v runs, every tensor made by an ancestor and read by v or a descendant is
//     live. One traversal a node.
// (b) The cut bound lb(v): also the cheapest choice of what else has run; analysis/node_cut.h. It
// is
//     never below (a); they are equal where nodes unordered with v cannot change anything.
//
// Few evaluations: lb(v) <= what v needs in *any* legal order. Visit the nodes by what they need in
// a given order, most first, and stop at the first that needs no more than the best bound so far:
// no later node can raise it. The result is the exact maximum over all nodes.
//
// Fewer still (NodeBounds): a flow leaves the cheapest down-set D of its node. For another node v,
// D with v's ancestors and without v and its descendants is a down-set that v can run after: what v
// needs there is at least lb(v), mostly about as much, and costs no flow. So before v gets one, its
// need is looked up next to the last D, and v goes back in the queue if that is less. Hundreds of
// steps of a recurrence, all dear in the schedule, are settled by a handful of flows.
#pragma once

#include <optional>

#include "lowtide/analysis/set_walk.h"
#include "lowtide/base/limits.h"
#include "lowtide/graph/plan.h"
#include "lowtide/model/order_problem.h"

namespace lowtide {

// The most that a node needs by itself: inputs, outputs and workspace, less all it may reuse. O(n +
// m) for all nodes: the bound that is there when there is no time for another.
Bytes own_bound(const OrderProblem& problem);

// 5(a): O(ancestors + descendants of v).
Bytes reachability_bound(const OrderProblem& problem, NodeId v);

// 5(b): one maximum flow. Stops early, with a value that is still a lower bound, when the meter
// does.
Bytes node_bound(const OrderProblem& problem, NodeId v, Meter* meter);

// max over v of 5(a), by few evaluations. `schedule` is any legal order.
Bytes reachability_bound(const OrderProblem& problem, const Schedule& schedule, Meter* meter);

// max over v of 5(b); where the meter stops it, the largest found so far.
Bytes node_bound(const OrderProblem& problem, const Schedule& schedule, Meter* meter);

// The maximum of 5(b), raised in instalments: better orders need fewer flows, and no node's bound
// is computed twice.
class NodeBounds {
 public:
  explicit NodeBounds(const OrderProblem& problem)
      : problem_(problem),
        at_most_(problem.num_nodes(), kMaxBytes),
        looked_at_(problem.num_nodes(), 0) {}

  // Visits nodes by what they need in `schedule`. True: best() is the exact maximum. False: stopped
  // by `max_flows` or the meter.
  bool raise(const Schedule& schedule, int max_flows, Meter* meter);

  Bytes best() const { return best_; }
  NodeId node() const { return node_; }  // that needs best(); none() at first
  // v's own bound is at most this; exactly this once it had its flow.
  Bytes at_most(NodeId v) const { return at_most_[v]; }
  // The nodes that may need most, these first.
  std::vector<NodeId> dearest(std::size_t count) const;

 private:
  void compute(NodeId v, Meter* meter);
  bool look_near(NodeId v, Meter* meter);
  void stand_at(const IdVector<NodeId, std::uint8_t>& set);

  const OrderProblem& problem_;
  IdVector<NodeId, Bytes> at_most_;
  std::optional<SetWalk> near_;  // the last minimiser
  int flows_ = 0;
  IdVector<NodeId, int> looked_at_;  // the flow whose minimiser it was looked up at last
  Bytes best_ = 0;
  NodeId node_;
};

}  // namespace lowtide
