// The plans that a command shows: from a file or made now, and only what the verifier has passed.
#pragma once

#include <string>

#include "lowtide/graph/graph.h"
#include "lowtide/graph/plan.h"
#include "lowtide/planner/options.h"

namespace lowtide::cli {

// Throws InputError with the file if it is no plan of this graph, or with the first violation.
Plan load_verified_plan(const std::string& path, const Graph& graph);

// With a progress line on a terminal.
Plan make_plan(const Graph& graph, PlanOptions options);

}  // namespace lowtide::cli
