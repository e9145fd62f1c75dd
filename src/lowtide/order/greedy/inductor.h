// The three orders that PyTorch Inductor chooses from (reorder_for_peak_memory, PyTorch 2.13),
// written afresh from their ideas: what users have today, to measure against and to start from.
//
//   lpmf  least peak memory first: of the ready nodes that fit below the peak so far, the one that
//         leaves the fewest bytes live; if none fits, the one that needs the fewest.
//   bfs   the ready node whose predecessors ran earliest: short waits between producer and
//         consumer.
//   dfs   nodes by bytes read and written, least first, each right after what it still needs.
//
// None has a bound or a guarantee. All O((n + m) log n); where the meter stops one, the rest
// follows in program order.
#pragma once

#include "lowtide/base/limits.h"
#include "lowtide/model/order_problem.h"

namespace lowtide {

Schedule lpmf_order(const OrderProblem& problem, Meter* meter);
Schedule bfs_order(const OrderProblem& problem, Meter* meter);
Schedule dfs_order(const OrderProblem& problem, Meter* meter);

}  // namespace lowtide
