// Does any order of a core problem fit in a budget? Searches from both ends, then division.
#pragma once

#include <vector>

#include "lowtide/base/limits.h"
#include "lowtide/order/budget_search.h"
#include "lowtide/order/core_problem.h"

namespace lowtide {

struct FitResult {
  Answer answer = Answer::kUnknown;
  std::vector<NodeId> schedule;  // of the original nodes; only for kYes
};

// `effort`: steps for each single search.
FitResult fits_budget(const CoreProblem& core, Bytes budget, std::int64_t effort, Meter* meter);

}  // namespace lowtide
