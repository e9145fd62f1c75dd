#include "lowtide/layout/solvers.h"

namespace lowtide {

std::span<const LayoutSolver> layout_solvers() { return {}; }

const LayoutSolver* find_layout_solver(std::string_view name) {
  for (const LayoutSolver& solver : layout_solvers())
    if (name == solver.name) return &solver;
  return nullptr;
}

}  // namespace lowtide
