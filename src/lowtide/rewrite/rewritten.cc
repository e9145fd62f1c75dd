#include "lowtide/rewrite/rewritten.h"

#include <algorithm>
#include <tuple>

namespace lowtide {

Schedule restore(const Graph& original, const Rewritten& rewritten, const Schedule& schedule) {
  // Left-out nodes share the place of the last node they need, in program order behind it.
  constexpr std::int64_t kNotYet = -2;
  IdVector<NodeId, std::int64_t> place(original.num_nodes(), kNotYet);
  for (std::size_t i = 0; i < schedule.size(); ++i)
    place[rewritten.original[schedule[i]]] = static_cast<std::int64_t>(i);
  std::vector<std::tuple<std::int64_t, bool, NodeId>> places;
  for (NodeId v : original.nodes()) {
    const bool left_out = place[v] == kNotYet;
    if (left_out) place[v] = -1;
    if (left_out)
      for (NodeId u : original.predecessors(v)) place[v] = std::max(place[v], place[u]);
    places.emplace_back(place[v], left_out, v);
  }
  std::sort(places.begin(), places.end());
  Schedule restored;
  for (const auto& [at, left_out, v] : places) restored.push_back(v);
  return restored;
}

Rewritten compose(const Rewritten& outer, Rewritten inner) {
  for (NodeId& v : inner.original) v = outer.original[v];
  return inner;
}

GraphBuilder copy_head(const Graph& graph) {
  GraphBuilder builder(graph.name(), graph.source());
  builder.set_meta_json(graph.meta_json());
  return builder;
}

}  // namespace lowtide
