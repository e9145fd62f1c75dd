// A plan for a command that was given none (one from a file: io/plan_json.h).
#pragma once

#include "lowtide/graph/graph.h"
#include "lowtide/graph/plan.h"
#include "lowtide/planner/options.h"

namespace lowtide::cli {

// With a progress line on a terminal.
Plan make_plan(const Graph& graph, PlanOptions options);

}  // namespace lowtide::cli
