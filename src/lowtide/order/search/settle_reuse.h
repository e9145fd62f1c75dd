// In-place reuses that take effect in every order, or in none, as plain numbers.
//
// A pair (fresh, old) at v takes effect exactly if all other readers of `old` have run before v. If
// all are ancestors of v it always does: v needs bytes(fresh) less. If one is a descendant it never
// does. What is left depends on the order.
#pragma once

#include "lowtide/analysis/reachability.h"
#include "lowtide/model/order_problem.h"

namespace lowtide {

// The same problem with only the open pairs in `reuses`; workspace_bytes may fall below 0.
OrderProblem settle_reuses(OrderProblem problem, const Reachability& reach);

}  // namespace lowtide
