// The simple order solvers: each lists the ready nodes and takes one by a rule. All O((n + m) log
// n). Where the meter stops one, the rest follows in program order: what has run is a down-set, so
// that is legal.
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
Schedule order_by_rank(const OrderProblem& problem, const IdVector<NodeId, std::int64_t>& rank,
                       Meter* meter);
inline Schedule order_by_rank(const OrderProblem& problem,
                              const IdVector<NodeId, std::int64_t>& rank) {
  Meter unlimited{Limits()};
  return order_by_rank(problem, rank, &unlimited);
}

Schedule hoisted_order(const OrderProblem& problem, Meter* meter);
inline Schedule hoisted_order(const OrderProblem& problem) {
  Meter unlimited{Limits()};
  return hoisted_order(problem, &unlimited);
}

// Appends the nodes that `schedule`, the beginning of a legal order, does not hold: in program
// order.
void append_rest(const OrderProblem& problem, Schedule* schedule);

// `budget`: nodes that would need more wait while another one fits; kMaxBytes for none.
Schedule greedy_order(const OrderProblem& problem, Bytes budget, Meter* meter);
inline Schedule greedy_order(const OrderProblem& problem) {
  Meter unlimited{Limits()};
  return greedy_order(problem, kMaxBytes, &unlimited);
}

}  // namespace lowtide
