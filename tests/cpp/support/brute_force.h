// Oracles that only tests link: the optimum by trying everything.
#pragma once

#include "lowtide/model/layout_request.h"
#include "lowtide/model/order_problem.h"

namespace lowtide::testing {

// The least peak over all legal orders, by dynamic programming over the 2^n executed sets. n <= 20.
Bytes optimal_peak(const OrderProblem& problem);

// The least height, by placing the buffers in every order at the lowest offset that fits. n <= 8.
Bytes optimal_height(const LayoutProblem& problem);

// Is this layout of a request right? Byte by byte and step by step, in the words of the request.
bool is_right(const LayoutRequest& request, const IdVector<BufferId, Bytes>& offsets);

// The least height of a request, by trying every offset for every buffer; kMaxBytes if none below
// `highest` will do.
Bytes optimal_height(const LayoutRequest& request, Bytes highest);

// The paper's equation 9: the least arena over all legal orders of at most that peak, each laid out
// exactly. n <= 9.
Bytes optimal_arena(const OrderProblem& problem, Bytes alignment, Bytes budget = kMaxBytes);

}  // namespace lowtide::testing
