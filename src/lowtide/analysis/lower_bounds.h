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
#pragma once

#include <algorithm>

#include "lowtide/base/limits.h"
#include "lowtide/graph/plan.h"
#include "lowtide/model/order_problem.h"

namespace lowtide {

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
      : problem_(problem), known_(problem.num_nodes(), kUnknown) {}

  // Visits nodes by what they need in `schedule`. True: best() is the exact maximum. False: stopped
  // by `max_flows` or the meter.
  bool raise(const Schedule& schedule, int max_flows, Meter* meter);

  Bytes best() const { return best_; }
  NodeId node() const { return node_; }  // that needs best(); none() at first
  // What v needs at most, over all orders that need least there: its bound, or `needed` if unknown.
  Bytes at_most(NodeId v, Bytes needed) const {
    return known_[v] == kUnknown ? needed : std::min(needed, known_[v]);
  }

 private:
  static constexpr Bytes kUnknown = -1;

  const OrderProblem& problem_;
  IdVector<NodeId, Bytes> known_;
  Bytes best_ = 0;
  NodeId node_;
};

}  // namespace lowtide
