#include "lowtide/graph/spec.h"

namespace lowtide {
namespace {

template <class Ids, class Name>
std::vector<std::string> names_of(const Ids& ids, const Name& name) {
  std::vector<std::string> names;
  for (const auto id : ids) names.emplace_back(name(id));
  return names;
}

}  // namespace

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

}  // namespace lowtide
