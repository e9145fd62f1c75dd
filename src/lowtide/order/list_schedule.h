// The simple order solvers: each lists the ready nodes and takes one by a rule. All O((n + m) log
// n).
//
//   given   program order.
//   hoist   program order, but an optimizer node as early as it may: a weight's gradient dies at
//   its
//           update, so updating at once frees it (the paper's section 4.3, early weight updates).
//   greedy  free moves first (the design notes' rule 1: a node that fits the budget and does not
//   grow
//           the live bytes loses nothing), then the node that grows them least.
#pragma once

#include "lowtide/base/limits.h"
#include "lowtide/model/order_problem.h"

namespace lowtide {

// The legal order nearest to `rank`: always the ready node of least rank; ties by number.
Schedule order_by_rank(const OrderProblem& problem, const IdVector<NodeId, std::int64_t>& rank);

Schedule hoisted_order(const OrderProblem& problem);

// `budget`: nodes that would need more wait while another one fits; kMaxBytes for none. Where the
// meter stops it, the rest follows in program order.
Schedule greedy_order(const OrderProblem& problem, Bytes budget, Meter* meter);
inline Schedule greedy_order(const OrderProblem& problem) {
  Meter unlimited{Limits()};
  return greedy_order(problem, kMaxBytes, &unlimited);
}

}  // namespace lowtide
