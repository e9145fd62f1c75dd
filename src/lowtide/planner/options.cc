#include "lowtide/planner/options.h"

#include "lowtide/base/room.h"
#include "lowtide/base/text.h"
#include "lowtide/graph/error.h"
#include "lowtide/mip/highs.h"
#include "lowtide/order/solvers.h"
#include "lowtide/rewrite/passes.h"

namespace lowtide {
namespace {

constexpr Bytes kMaxAlignment = Bytes{1} << 40;
constexpr int kMaxThreads = 1024;

template <class Known>
std::string names_of(const Known& known) {
  std::string names;
  for (const auto& row : known) names += (names.empty() ? "" : ", ") + std::string(row.name);
  return names;
}

// Without HiGHS a solver that needs it would only hand back what it was given.
bool is_missing(const OrderSolver& solver) { return solver.needs_highs && !mip::is_available(); }
bool is_missing(const LayoutSolver& solver) { return solver.needs_highs && !mip::is_available(); }
bool is_missing(const RewritePass&) { return false; }

// `known`: rows of a registry.
template <class Known>
void check_name(const std::string& option, const char* what, const std::string& name,
                const Known& known) {
  for (const auto& row : known) {
    if (name != row.name) continue;
    if (!is_missing(row)) return;
    throw InputError(option, quote(name) + " is not there: lowtide was built without HiGHS");
  }
  throw InputError(option,
                   "unknown " + (what + (" " + quote(name))) + "; known: " + names_of(known));
}

}  // namespace

const LayoutSolver& layout_solver_named(const std::string& option, const std::string& name) {
  check_name(option, "solver", name, layout_solvers());
  return *find_layout_solver(name);
}

void check_limits(double time_limit_seconds, std::int64_t step_limit, int threads) {
  if (!(time_limit_seconds >= 0))
    throw InputError("time limit", "must be a number of seconds of at least 0");
  if (step_limit < 0)
    throw InputError("step limit", "must be at least 0, not " + std::to_string(step_limit));
  if (threads < 1 || threads > kMaxThreads)
    throw InputError("threads", "must be between 1 and 1024, not " + std::to_string(threads));
}

void check_options(const PlanOptions& options) {
  check_name("order", "solver", options.order, order_solvers());
  layout_solver_named("layout", options.layout);
  for (const std::string& name : options.rewrite)
    check_name("rewrite", "pass", name, rewrite_passes());
  if (options.joint && options.use_reuse)
    throw InputError("joint", "can't be asked for together with reuse: the joint program has none");
  check_limits(options.time_limit_seconds, options.step_limit, options.threads);
  if (options.alignment < 1 || options.alignment > kMaxAlignment)
    throw InputError("alignment",
                     "must be between 1 and 2^40 bytes, not " + std::to_string(options.alignment));
}

void check_sizes(const Graph& graph, Bytes alignment) {
  Bytes sum = 0;
  const auto add = [&](const char* what, std::string_view name, Bytes bytes) {
    if (!add_room(bytes, alignment, &sum) || sum > kMaxRoom)
      throw InputError(what + quote(name),
                       "the sum of all bytes, each rounded up to the alignment of " +
                           std::to_string(alignment) + ", exceeds " + kMaxRoomText);
  };
  for (TensorId t : graph.tensors()) add("tensor ", graph.tensor_name(t), graph.bytes(t));
  for (NodeId v : graph.nodes()) add("node ", graph.node_name(v), graph.workspace_bytes(v));
}

}  // namespace lowtide
