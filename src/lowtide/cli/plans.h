// The plan that a command works on: made here, or from a file (io/plan_json.h reads and verifies).
#pragma once

#include <string>

#include "lowtide/graph/graph.h"
#include "lowtide/graph/plan.h"
#include "lowtide/io/plan_json.h"
#include "lowtide/planner/options.h"

namespace lowtide::cli {

// With a progress line on a terminal.
Plan make_plan(const Graph& graph, PlanOptions options);

// To be shown: verified, and the bounds that are quickly proved are no longer claims.
Plan load_plan_to_show(const std::string& path, const Graph& graph, const Reading& reading);

// Prints a line for each thing that is wrong with the plan. False if nothing is.
bool print_violations(const Graph& graph, const LoadedPlan& loaded);

}  // namespace lowtide::cli
