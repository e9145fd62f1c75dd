#include "lowtide/rewrite/prune.h"

#include <algorithm>

namespace lowtide {
namespace {

using Flags = IdVector<NodeId, std::uint8_t>;

bool is_needed(const Graph& graph, TensorId t, const Flags& dead) {
  const auto readers = graph.consumers(t);
  return graph.is_output(t) ||
         std::any_of(readers.begin(), readers.end(), [&](NodeId c) { return !dead[c]; });
}

Flags dead_nodes(const Graph& graph) {
  Flags dead(graph.num_nodes(), 0);
  for (std::size_t i = graph.num_nodes(); i-- > 0;) {
    const NodeId v(i);
    const auto outputs = graph.outputs(v);
    dead[v] = !outputs.empty() && graph.mutates(v).empty() &&
              std::none_of(outputs.begin(), outputs.end(),
                           [&](TensorId t) { return is_needed(graph, t, dead); });
  }
  return dead;
}

// For each dead node the nodes that are not and that it has to follow.
IdVector<NodeId, std::vector<NodeId>> stand_ins(const Graph& graph, const Flags& dead) {
  IdVector<NodeId, std::vector<NodeId>> follows(graph.num_nodes());
  for (NodeId v : graph.nodes()) {
    if (!dead[v]) continue;
    for (NodeId u : graph.predecessors(v)) {
      if (dead[u])
        follows[v].insert(follows[v].end(), follows[u].begin(), follows[u].end());
      else
        follows[v].push_back(u);
    }
    std::sort(follows[v].begin(), follows[v].end());
    follows[v].erase(std::unique(follows[v].begin(), follows[v].end()), follows[v].end());
  }
  return follows;
}

}  // namespace

std::optional<Rewritten> prune(const Graph& graph, Meter* meter) {
  meter->spend(static_cast<std::int64_t>(graph.num_nodes() + graph.num_tensors()));
  const Flags dead = dead_nodes(graph);
  if (std::find(dead.begin(), dead.end(), 1) == dead.end()) return std::nullopt;
  const auto follows = stand_ins(graph, dead);
  GraphBuilder builder = copy_head(graph);
  for (TensorId t : graph.tensors())
    if (graph.producer(t).is_none() || !dead[graph.producer(t)])
      builder.add_tensor(spec_of(graph, t));
  IdVector<NodeId, NodeId> original;
  for (NodeId v : graph.nodes()) {
    if (dead[v]) continue;
    NodeSpec spec = spec_of(graph, v);
    spec.after.clear();
    for (NodeId u : graph.after(v)) {
      if (!dead[u]) spec.after.emplace_back(graph.node_name(u));
      for (NodeId w : follows[u]) spec.after.emplace_back(graph.node_name(w));
    }
    builder.add_node(spec);
    original.push_back(v);
  }
  return Rewritten{std::move(builder).build(), std::move(original)};
}

}  // namespace lowtide
