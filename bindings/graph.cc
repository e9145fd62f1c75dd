#include <nanobind/stl/map.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bindings.h"
#include "convert.h"
#include "lowtide/base/text.h"
#include "lowtide/graph/graph_builder.h"
#include "lowtide/graph/spec.h"
#include "lowtide/io/graph_json.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace lowtide::python {
namespace {

using Names = std::vector<std::string>;

TensorKind to_kind(const std::string& text, const std::string& where) {
  TensorKind kind;
  if (!parse_tensor_kind(text, &kind))
    throw InputError(where, "kind " + quote(text) + " is unknown");
  return kind;
}

void add_tensor(GraphBuilder& builder, const std::string& name, nb::handle bytes,
                const std::string& kind, bool output) {
  const std::string where = "tensor " + quote(name);
  builder.add_tensor({name, to_bytes(bytes, where + ": bytes"), to_kind(kind, where), output});
}

void add_node(GraphBuilder& builder, const std::string& name, const std::string& op,
              const Names& inputs, const Names& outputs, const Names& mutates, const Names& after,
              const std::map<std::string, std::string>& may_reuse, const std::string& phase,
              bool pointwise, nb::handle workspace_bytes, double time_us) {
  builder.add_node(
      {.name = name,
       .op = op,
       .inputs = inputs,
       .outputs = outputs,
       .mutates = mutates,
       .after = after,
       .may_reuse = {may_reuse.begin(), may_reuse.end()},
       .phase = phase,
       .pointwise = pointwise,
       .workspace_bytes = to_bytes(workspace_bytes, "node " + quote(name) + ": workspace_bytes"),
       .time_us = time_us});
}

GraphBuilder make_builder(const std::string& name, const std::string& source,
                          const nb::object& meta) {
  GraphBuilder builder(name, source);
  if (!meta.is_none()) {
    const nb::object text = nb::module_::import_("json").attr("dumps")(meta, "allow_nan"_a = false);
    builder.set_meta_json(nb::cast<std::string>(text));
  }
  return builder;
}

nb::object meta_of(const Graph& graph) {
  const std::string& text = graph.meta_json();
  return nb::module_::import_("json").attr("loads")(text.empty() ? "{}" : text.c_str());
}

std::vector<TensorSpec> tensors_of(const Graph& graph) {
  std::vector<TensorSpec> tensors;
  for (TensorId t : graph.tensors()) tensors.push_back(spec_of(graph, t));
  return tensors;
}

std::vector<NodeSpec> nodes_of(const Graph& graph) {
  std::vector<NodeSpec> nodes;
  for (NodeId v : graph.nodes()) nodes.push_back(spec_of(graph, v));
  return nodes;
}

void bind_elements(nb::module_& module) {
  nb::class_<TensorSpec>(module, "Tensor", "A storage: views and aliases are resolved before.")
      .def_ro("name", &TensorSpec::name)
      .def_ro("bytes", &TensorSpec::bytes)
      .def_prop_ro(
          "kind", [](const TensorSpec& tensor) { return to_string(tensor.kind); },
          "activation (planned), or persistent: input, parameter, buffer, optimizer_state, "
          "constant")
      .def_ro("output", &TensorSpec::output, "the caller keeps it: it lives to the end")
      .def("__repr__", [](const TensorSpec& tensor) {
        return "Tensor(" + quote(tensor.name) + ", " + std::to_string(tensor.bytes) + ", " +
               to_string(tensor.kind) + ")";
      });
  nb::class_<NodeSpec>(module, "Node", "An operator, with the names of the tensors it touches.")
      .def_ro("name", &NodeSpec::name)
      .def_ro("op", &NodeSpec::op)
      .def_ro("inputs", &NodeSpec::inputs)
      .def_ro("outputs", &NodeSpec::outputs)
      .def_ro("mutates", &NodeSpec::mutates)
      .def_ro("after", &NodeSpec::after)
      .def_prop_ro("may_reuse",
                   [](const NodeSpec& node) {
                     return std::map<std::string, std::string>(node.may_reuse.begin(),
                                                               node.may_reuse.end());
                   })
      .def_ro("phase", &NodeSpec::phase)
      .def_ro("pointwise", &NodeSpec::pointwise)
      .def_ro("workspace_bytes", &NodeSpec::workspace_bytes)
      .def_ro("time_us", &NodeSpec::time_us)
      .def("__repr__", [](const NodeSpec& node) {
        return "Node(" + quote(node.name) + ", " + quote(node.op) + ")";
      });
}

}  // namespace

void bind_graph(nb::module_& module) {
  bind_elements(module);
  nb::class_<Graph>(module, "Graph", "An immutable, valid graph; made by GraphBuilder or load.")
      .def_prop_ro("name", &Graph::name)
      .def_prop_ro("source", &Graph::source)
      .def_prop_ro("meta", &meta_of, nb::sig("def meta(self) -> dict"))
      .def_prop_ro("num_nodes", &Graph::num_nodes)
      .def_prop_ro("num_tensors", &Graph::num_tensors)
      .def_prop_ro("persistent_bytes", &Graph::persistent_bytes, "bytes of all persistent tensors")
      .def_prop_ro("nodes", &nodes_of, "in program order; a new list each time")
      .def_prop_ro("tensors", &tensors_of, "a new list each time")
      .def("to_json", &format_graph, "the lowtide-graph JSON text")
      .def("__repr__", [](const Graph& graph) {
        return "Graph(" + quote(graph.name()) + ", " + std::to_string(graph.num_nodes()) +
               " nodes, " + std::to_string(graph.num_tensors()) + " tensors)";
      });
  nb::class_<GraphBuilder>(
      module, "GraphBuilder",
      "Collects tensors and nodes (in program order) by name; build() checks everything "
      "and raises ValueError naming the element and the reason.")
      .def(
          "__init__",
          [](GraphBuilder* self, const std::string& name, const std::string& source,
             const nb::object& meta, bool order_mutations) {
            new (self) GraphBuilder(make_builder(name, source, meta));
            if (order_mutations) self->order_mutations();
          },
          "name"_a = "", "source"_a = "", "meta"_a = nb::none(), nb::kw_only(),
          "order_mutations"_a = false,
          "order_mutations: build() adds what `after` needs, so that reads and writes of the "
          "tensors in `mutates` stay in program order.")
      .def("add_tensor", &add_tensor, "name"_a, "bytes"_a.none(), "kind"_a = "activation",
           "output"_a = false,
           nb::sig("def add_tensor(self, name: str, bytes: int, kind: str = 'activation', output: "
                   "bool = False) "
                   "-> None"))
      .def("add_node", &add_node, "name"_a, "op"_a = "", "inputs"_a = Names(),
           "outputs"_a = Names(), "mutates"_a = Names(), "after"_a = Names(),
           "may_reuse"_a = std::map<std::string, std::string>(), "phase"_a = "",
           "pointwise"_a = false, "workspace_bytes"_a = 0, "time_us"_a = 0.0,
           nb::sig("def add_node(self, name: str, op: str = '', inputs: "
                   "collections.abc.Sequence[str] = (), "
                   "outputs: collections.abc.Sequence[str] "
                   "= (), mutates: collections.abc.Sequence[str] = (), after: "
                   "collections.abc.Sequence[str] = (), may_reuse: "
                   "collections.abc.Mapping[str, str] = "
                   "{}, phase: str = '', pointwise: bool = False, workspace_bytes: int = 0, "
                   "time_us: float = 0.0) "
                   "-> None"))
      .def(
          "build",
          [](GraphBuilder& builder, bool order_mutations) {
            if (order_mutations) builder.order_mutations();
            return std::move(builder).build();
          },
          nb::kw_only(), "order_mutations"_a = false,
          "The graph; the builder is empty afterwards. order_mutations: as the builder's own.");
  module.def(
      "load_graph",
      [](nb::handle path, bool strict) {
        Warnings warnings;
        Graph graph = load_graph(to_path(path), warnings.reading(strict));
        warnings.issue();
        return graph;
      },
      "path"_a, nb::kw_only(), "strict"_a = false,
      nb::sig("def load_graph(path: str | os.PathLike[str], *, strict: bool = False) -> Graph"),
      "Unknown fields are a warning. strict: they raise ValueError, and so does a read of a tensor "
      "that a write to it may overtake.");
  module.def(
      "save_graph", [](const Graph& graph, nb::handle path) { save_graph(graph, to_path(path)); },
      "graph"_a, "path"_a,
      nb::sig("def save_graph(graph: Graph, path: str | os.PathLike[str]) -> None"));
}

}  // namespace lowtide::python
