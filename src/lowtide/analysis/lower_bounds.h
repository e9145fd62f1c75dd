// Lower bounds on the peak over all legal orders.
//
// Node bound (b). When v runs, the executed set D is a down-set that holds v's ancestors and
// neither v nor any descendant, and live(D) + outputs(v) + workspace(v) bytes are needed. So every
// order needs
//
//     lb(v) = outputs(v) + workspace(v) - reusable(v) + min { live(D) : anc(v) <= D, D disjoint
//     from v + desc(v) }
//
// live(D) is the cut function of a directed hypergraph: a tensor costs its bytes if its producer is
// in D and a consumer is not. One minimum cut finds the minimum:
//
//     producer --bytes--> tensor --inf--> each consumer          (cut: live)
//     node --inf--> each predecessor                             (D is closed under predecessors)
//     ancestors and what exists from the start: the source;  v and its descendants: the sink.
//
// The paper's equation 9 has no such bound; it is 5(b) of the design notes. Where the nodes that
// are neither ancestors nor descendants cannot change anything, it equals the reachability bound
// 5(a): bytes of tensors whose producer is among the ancestors and a consumer among v and the
// descendants.
//
// Few flows: lb(v) <= what v needs in *any* legal order. Visit the nodes by what they need in a
// given order, most first, and stop at the first that needs no more than the best bound so far: no
// later node can raise it. The result is the exact maximum of lb over all nodes.
#pragma once

#include "lowtide/base/limits.h"
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

}  // namespace lowtide
