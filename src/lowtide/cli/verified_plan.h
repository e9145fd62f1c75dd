// Plan files that a command shows: only what the verifier has passed.
#pragma once

#include <string>

#include "lowtide/graph/graph.h"
#include "lowtide/graph/plan.h"

namespace lowtide::cli {

// Throws InputError with the file if it is no plan of this graph, or with the first violation.
Plan load_verified_plan(const std::string& path, const Graph& graph);

}  // namespace lowtide::cli
