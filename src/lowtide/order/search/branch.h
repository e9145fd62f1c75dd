// Branch and bound on which of two nodes runs first: the last resort of a refutation.
//
// A node with a large bound has little slack. For each node u that is not ordered with it, the cut
// with u forced to either side bounds the orders that run u before v, and those that run v before
// u (analysis/node_cut.h). The pair whose cheaper side is dearest is branched on, the dearer side
// first. Each side is the problem with one precedence more, propagated (order/search/propagate.h)
// and searched (order/search/fits.h); where both leave it open, it is branched on again.
//
// Every order runs one of the two first. So an order within the budget is one of a side, and none
// fits if neither side has one: whatever a step costs, with open in-place reuses too. Which pair is
// taken decides about time only.
//
// What it is worth: narrow misses on small wide graphs (docs/order.md). On large ones a precedence
// implies next to nothing, and each branch costs a propagation: not worth it.
#pragma once

#include "lowtide/order/search/fits.h"

namespace lowtide {

// `guide`: any legal order. `effort`: steps for each single search; `meter` limits the whole.
FitResult branch_within(const OrderProblem& problem, Bytes budget, const Schedule& guide,
                        std::int64_t effort, Meter* meter, const Techniques& use = {});

}  // namespace lowtide
