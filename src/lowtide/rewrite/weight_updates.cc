#include "lowtide/rewrite/weight_updates.h"

#include <queue>

namespace lowtide {
namespace {

bool is_update(const Graph& graph, NodeId v) { return graph.phase(v) == "optimizer"; }

bool has_updates(const Graph& graph) {
  for (NodeId v : graph.nodes())
    if (is_update(graph, v)) return true;
  return false;
}

// Ready updates first, then program order.
Schedule updates_early(const Graph& graph) {
  using Entry = std::pair<bool, NodeId>;  // false, the smaller: an update
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> ready;
  IdVector<NodeId, std::size_t> waits_for(graph.num_nodes(), 0);
  for (NodeId v : graph.nodes())
    if ((waits_for[v] = graph.predecessors(v).size()) == 0) ready.emplace(!is_update(graph, v), v);
  Schedule schedule;
  while (!ready.empty()) {
    const NodeId v = ready.top().second;
    ready.pop();
    schedule.push_back(v);
    for (NodeId w : graph.successors(v))
      if (--waits_for[w] == 0) ready.emplace(!is_update(graph, w), w);
  }
  return schedule;
}

}  // namespace

std::optional<Rewritten> weight_updates(const Graph& graph, Meter* meter) {
  meter->spend(static_cast<std::int64_t>(graph.num_nodes() + graph.num_tensors()));
  if (!has_updates(graph)) return std::nullopt;
  GraphBuilder builder = copy_head(graph);
  for (TensorId t : graph.tensors()) builder.add_tensor(spec_of(graph, t));
  IdVector<NodeId, NodeId> original;
  std::vector<NodeId> last_updates;  // since the last node that is none
  bool has_edges = false;
  for (NodeId v : updates_early(graph)) {
    NodeSpec spec = spec_of(graph, v);
    if (!is_update(graph, v)) {
      for (NodeId u : last_updates) spec.after.emplace_back(graph.node_name(u));
      has_edges |= !last_updates.empty();
      last_updates.clear();
    } else if (graph.successors(v).empty()) {
      last_updates.push_back(v);
    }
    builder.add_node(spec);
    original.push_back(v);
  }
  if (!has_edges) return std::nullopt;
  return Rewritten{std::move(builder).build(), std::move(original)};
}

}  // namespace lowtide
