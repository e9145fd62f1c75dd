// A graph's tensors and nodes as they were given to its builder: to build a changed copy, or to
// show them by name.
#pragma once

#include "lowtide/graph/graph.h"
#include "lowtide/graph/graph_builder.h"

namespace lowtide {

TensorSpec spec_of(const Graph& graph, TensorId t);
NodeSpec spec_of(const Graph& graph, NodeId v);

}  // namespace lowtide
