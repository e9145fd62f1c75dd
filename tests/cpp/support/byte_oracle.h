// Is a plan right? Byte by byte and step by step, in the words of docs/formats.md: an oracle that
// knows Graph and Plan and nothing else of lowtide.
#pragma once

#include "lowtide/graph/graph.h"
#include "lowtide/graph/plan.h"

namespace lowtide::testing {

// For arenas of some thousand bytes. Ids in the plan must be the graph's, reuses included.
bool is_right_byte_by_byte(const Graph& graph, const Plan& plan);

}  // namespace lowtide::testing
