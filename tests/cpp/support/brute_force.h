// Oracles that only tests link: the optimum by trying everything.
#pragma once

#include "lowtide/model/layout_problem.h"
#include "lowtide/model/order_problem.h"

namespace lowtide::testing {

// The least peak over all legal orders, by dynamic programming over the 2^n executed sets. n <= 20.
Bytes optimal_peak(const OrderProblem& problem);

// The least height, by placing the buffers in every order at the lowest offset that fits. n <= 8.
Bytes optimal_height(const LayoutProblem& problem);

}  // namespace lowtide::testing
