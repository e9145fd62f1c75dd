#include "lowtide/order/solvers.h"

namespace lowtide {

std::span<const OrderSolver> order_solvers() { return {}; }

const OrderSolver* find_order_solver(std::string_view name) {
  for (const OrderSolver& solver : order_solvers())
    if (name == solver.name) return &solver;
  return nullptr;
}

}  // namespace lowtide
