#include "lowtide/rewrite/rewritten.h"

#include <algorithm>
#include <tuple>

namespace lowtide {
namespace {

template <class Ids, class Name>
std::vector<std::string> names_of(const Ids& ids, const Name& name) {
  std::vector<std::string> names;
  for (const auto id : ids) names.emplace_back(name(id));
  return names;
}

}  // namespace

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

TensorSpec spec_of(const Graph& graph, TensorId t) {
  return {std::string(graph.tensor_name(t)), graph.bytes(t), graph.kind(t), graph.is_output(t)};
}

NodeSpec spec_of(const Graph& graph, NodeId v) {
  const auto tensor = [&](TensorId t) { return graph.tensor_name(t); };
  NodeSpec spec{.name = std::string(graph.node_name(v)),
                .op = std::string(graph.op(v)),
                .inputs = names_of(graph.inputs(v), tensor),
                .outputs = names_of(graph.outputs(v), tensor),
                .mutates = names_of(graph.mutates(v), tensor),
                .after = names_of(graph.after(v), [&](NodeId u) { return graph.node_name(u); }),
                .phase = std::string(graph.phase(v)),
                .pointwise = graph.is_pointwise(v),
                .workspace_bytes = graph.workspace_bytes(v),
                .time_us = graph.time_us(v)};
  for (const Reuse& reuse : graph.may_reuse(v))
    spec.may_reuse.emplace_back(tensor(reuse.fresh), tensor(reuse.old));
  return spec;
}

GraphBuilder copy_head(const Graph& graph) {
  GraphBuilder builder(graph.name(), graph.source());
  builder.set_meta_json(graph.meta_json());
  return builder;
}

}  // namespace lowtide
