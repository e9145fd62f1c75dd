// The registry of layout solvers: one row each. The command line's list, Python's list, the
// property tests and docs/solvers.md all iterate it.
#pragma once

#include <span>
#include <string_view>

#include "lowtide/base/limits.h"
#include "lowtide/base/solution.h"
#include "lowtide/model/layout_problem.h"

namespace lowtide {

struct LayoutSolver {
  const char* name;
  bool exact;           // given time, proves optimality
  const char* summary;  // when it is best, in a line
  // With a capacity: an answer of at most that height, kInfeasible by proof, or kUnknown.
  // Without: always an answer, its height, and a proven lower bound.
  Solution<Layout> (*solve)(const LayoutProblem& problem, const Limits& limits);
  bool needs_highs = false;  // without it the name is refused (planner/options.h)
};

std::span<const LayoutSolver> layout_solvers();

// nullptr if there is none of that name.
const LayoutSolver* find_layout_solver(std::string_view name);

}  // namespace lowtide
