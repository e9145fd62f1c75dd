// What a caller may ask of the planner; checked once, before any work.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "lowtide/base/bytes.h"
#include "lowtide/base/limits.h"
#include "lowtide/graph/graph.h"
#include "lowtide/layout/solvers.h"

namespace lowtide {

struct PlanOptions {
  std::string order = "auto";   // a name of order_solvers()
  std::string layout = "auto";  // a name of layout_solvers()
  double time_limit_seconds = 60;
  std::int64_t step_limit = Limits::kUnlimitedSteps;  // per phase; makes a plan reproducible
  Bytes alignment = 64;
  int threads = 1;
  std::uint64_t seed = 0;
  // Names of rewrite_passes(), applied before the order is sought; the plan is one of the graph
  // itself all the same.
  std::vector<std::string> rewrite = {};
  bool use_reuse = false;  // honour may_reuse: only for executors that run ops in place
  bool joint = false;      // least arena over orders and addresses at once; not with use_reuse
  // Once true, plan() returns what it has: within a second at 10^6 nodes, unless HiGHS is at work.
  const std::atomic<bool>* cancelled = nullptr;
  ProgressSink* progress = nullptr;
};

// Throws InputError naming the option: unknown solvers (with the known ones), limits out of range.
void check_options(const PlanOptions& options);

// What a layout alone is limited by as well.
void check_limits(double time_limit_seconds, std::int64_t step_limit, int threads);

// Throws InputError naming the tensor or node with which addresses that are multiples of
// `alignment` could exceed all room (base/room.h). `alignment` >= 1, from an option or a plan.
void check_sizes(const Graph& graph, Bytes alignment);

// For who wants a layout alone; throws InputError as above.
const LayoutSolver& layout_solver_named(const std::string& option, const std::string& name);

}  // namespace lowtide
