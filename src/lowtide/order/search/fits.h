// Does any order of a problem fit in a budget? Searches from both ends, then division.
//
// Budget searches from both ends in turn, each on what the permanent commits of the others have
// left. If they are stuck, an order of the rest that follows the guide may fit
// (order/search/follow.h). If not, divide at the bottleneck: the node with the largest bound, run
// right after the minimiser of its cut; both halves are asked the same. A division that fails
// proves nothing (committing to that minimiser may lose every solution), unless the bottleneck's
// bound exceeds the budget: then there is no order.
#pragma once

#include "lowtide/base/limits.h"
#include "lowtide/order/search/budget_search.h"

namespace lowtide {

struct FitResult {
  Answer answer = Answer::kUnknown;
  Schedule schedule;  // only for kYes
};

// `effort`: steps for each single search. `guide`: any legal order; the nearer to an optimal one,
// the fewer flows find a bottleneck.
FitResult fits_budget(const OrderProblem& problem, Bytes budget, const Schedule& guide,
                      std::int64_t effort, Meter* meter, const Techniques& use = {});

// The searches from both ends alone: cheap, and enough for most budgets well above the optimum.
FitResult search_both_ways(const OrderProblem& problem, Bytes budget, std::int64_t effort,
                           Meter* meter, const Techniques& use = {});

}  // namespace lowtide
