// The registry of order solvers: one row each. The command line's list, Python's list, the property
// tests and docs/solvers.md all iterate it.
#pragma once

#include <span>
#include <string_view>

#include "lowtide/base/limits.h"
#include "lowtide/base/solution.h"
#include "lowtide/model/order_problem.h"

namespace lowtide {

struct OrderSolver {
  const char* name;
  bool exact;           // given time, proves optimality
  const char* summary;  // when it is best, in a line
  // Always returns a legal schedule (program order at worst), its peak, and a proven lower bound.
  Solution<Schedule> (*solve)(const OrderProblem& problem, const Limits& limits);
  bool needs_highs = false;  // without it the planner refuses the name
};

std::span<const OrderSolver> order_solvers();

// nullptr if there is none of that name.
const OrderSolver* find_order_solver(std::string_view name);

}  // namespace lowtide
