// A plan as a trace that chrome://tracing and Perfetto show: the nodes one after the other, memory
// as a counter, and the tensors as slices in lanes (a lane holds tensors that are never in memory
// together). Time is the nodes' time_us where known, else one microsecond a node.
#pragma once

#include <string>

#include "lowtide/graph/graph.h"
#include "lowtide/graph/plan.h"

namespace lowtide {

std::string trace_json(const Graph& graph, const Plan& plan);

}  // namespace lowtide
