#include "lowtide/planner/options.h"

#include "lowtide/base/text.h"
#include "lowtide/graph/error.h"
#include "lowtide/layout/solvers.h"
#include "lowtide/order/solvers.h"

namespace lowtide {
namespace {

constexpr Bytes kMaxAlignment = Bytes{1} << 40;
constexpr int kMaxThreads = 1024;

template <class Solvers>
std::string names_of(const Solvers& solvers) {
  std::string names;
  for (const auto& solver : solvers)
    names += (names.empty() ? "" : ", ") + std::string(solver.name);
  return names;
}

template <class Solvers>
void check_solver(const std::string& option, const std::string& name, const Solvers& solvers) {
  for (const auto& solver : solvers)
    if (name == solver.name) return;
  throw InputError(option, "unknown solver " + quote(name) + "; known: " + names_of(solvers));
}

}  // namespace

void check_options(const PlanOptions& options) {
  check_solver("order", options.order, order_solvers());
  check_solver("layout", options.layout, layout_solvers());
  if (!(options.time_limit_seconds >= 0))
    throw InputError("time limit", "must be a number of seconds of at least 0");
  if (options.step_limit < 0) throw InputError("step limit", "must be at least 0");
  if (options.alignment < 1 || options.alignment > kMaxAlignment)
    throw InputError("alignment",
                     "must be between 1 and 2^40 bytes, not " + std::to_string(options.alignment));
  if (options.threads < 1 || options.threads > kMaxThreads)
    throw InputError("threads",
                     "must be between 1 and 1024, not " + std::to_string(options.threads));
}

}  // namespace lowtide
