// A graph made from another one by a rewriting pass, and the way back for schedules.
//
// Passes rewrite Graphs, not order problems: names stay, so what a pass did can be looked at, and
// every solver gains. Merging nodes is no pass: order/search/contract does it on the order problem,
// where a merged node needs no operator.
#pragma once

#include "lowtide/graph/graph.h"
#include "lowtide/graph/graph_builder.h"
#include "lowtide/graph/plan.h"
#include "lowtide/graph/spec.h"

namespace lowtide {

struct Rewritten {
  Graph graph;
  IdVector<NodeId, NodeId> original;  // its nodes -> those of the graph that it was made from
};

// A legal schedule of `original` from one of the graph that was made from it. Nodes that a pass
// left out run right after the last of the nodes they need: legal, but it may cost memory.
Schedule restore(const Graph& original, const Rewritten& rewritten, const Schedule& schedule);

// `inner` was made from outer.graph: the same, made from what `outer` was made from.
Rewritten compose(const Rewritten& outer, Rewritten inner);

// A builder with the graph's name, source and meta; its tensors and nodes come by graph/spec.h.
GraphBuilder copy_head(const Graph& graph);

}  // namespace lowtide
