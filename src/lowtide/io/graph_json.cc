#include "lowtide/io/graph_json.h"

#include "lowtide/base/text.h"
#include "lowtide/graph/graph_builder.h"
#include "lowtide/graph/mutation_order.h"
#include "lowtide/io/file.h"
#include "lowtide/io/json_fields.h"
#include "lowtide/io/json_stream.h"

namespace lowtide {
namespace {

constexpr const char* kFormat = "lowtide-graph";

constexpr std::string_view kFields[] = {"format", "version", "name", "source"};
constexpr std::string_view kTensorFields[] = {"name", "bytes", "kind", "output"};
constexpr std::string_view kNodeFields[] = {
    "name",      "op",    "inputs",    "outputs",         "mutates", "after",
    "may_reuse", "phase", "pointwise", "workspace_bytes", "time_us"};

TensorSpec read_tensor(const Json& object, std::size_t index) {
  const JsonFields fields(object, label_of("tensor", object, index));
  TensorSpec tensor{.name = fields.required_text("name"),
                    .bytes = fields.required_bytes("bytes"),
                    .output = fields.flag("output")};
  const std::string kind = fields.text("kind", "activation");
  if (!parse_tensor_kind(kind, &tensor.kind))
    throw InputError(fields.label(), "kind " + quote(kind) +
                                         " is none of activation, input, parameter, buffer, "
                                         "optimizer_state, constant");
  return tensor;
}

NodeSpec read_node(const Json& object, std::size_t index) {
  const JsonFields fields(object, label_of("node", object, index));
  return {.name = fields.required_text("name"),
          .op = fields.text("op"),
          .inputs = fields.texts("inputs"),
          .outputs = fields.texts("outputs"),
          .mutates = fields.texts("mutates"),
          .after = fields.texts("after"),
          .may_reuse = fields.text_pairs("may_reuse"),
          .phase = fields.text("phase"),
          .pointwise = fields.flag("pointwise"),
          .workspace_bytes = fields.bytes("workspace_bytes"),
          .time_us = fields.number("time_us")};
}

void refuse_unordered(const Graph& graph) {
  const std::vector<AccessPair> unordered = unordered_accesses(graph);
  if (!unordered.empty()) throw InputError("", describe(graph, unordered.front()));
}

template <class Id, class Name>
OrderedJson names_of(std::span<const Id> ids, const Name& name) {
  OrderedJson names = OrderedJson::array();
  for (Id id : ids) names.push_back(name(id));
  return names;
}

OrderedJson tensor_json(const Graph& graph, TensorId t) {
  OrderedJson object = {{"name", graph.tensor_name(t)},
                        {"bytes", graph.bytes(t)},
                        {"kind", to_string(graph.kind(t))}};
  if (graph.is_output(t)) object["output"] = true;
  return object;
}

OrderedJson node_json(const Graph& graph, NodeId v) {
  const auto tensor_name = [&](TensorId t) { return graph.tensor_name(t); };
  const auto node_name = [&](NodeId u) { return graph.node_name(u); };
  OrderedJson object = {{"name", graph.node_name(v)},
                        {"op", graph.op(v)},
                        {"inputs", names_of(graph.inputs(v), tensor_name)},
                        {"outputs", names_of(graph.outputs(v), tensor_name)}};
  if (!graph.mutates(v).empty()) object["mutates"] = names_of(graph.mutates(v), tensor_name);
  if (!graph.after(v).empty()) object["after"] = names_of(graph.after(v), node_name);
  for (const Reuse& reuse : graph.may_reuse(v))
    object["may_reuse"][std::string(tensor_name(reuse.fresh))] = tensor_name(reuse.old);
  if (!graph.phase(v).empty()) object["phase"] = graph.phase(v);
  if (graph.is_pointwise(v)) object["pointwise"] = true;
  if (graph.workspace_bytes(v) > 0) object["workspace_bytes"] = graph.workspace_bytes(v);
  if (graph.time_us(v) > 0) object["time_us"] = graph.time_us(v);
  return object;
}

// What GraphBuilder was given as JSON, if it is.
const std::string& checked_json(const std::string& text) {
  if (!Json::accept(text)) throw InputError("graph", "meta is no JSON text");
  return text;
}

// `,"key":[` and one element a line.
template <class Ids, class Element>
void append_list(const char* key, Ids ids, const Element& element, std::string* text) {
  *text += std::string(",\n\"") + key + "\":[";
  const char* separator = "\n";
  for (auto id : ids) {
    *text += separator + json_text(element(id));
    separator = ",\n";
  }
  *text += "]";
}

}  // namespace

Graph parse_graph(const std::string& text, const std::string& where, const Reading& reading) {
  GraphBuilder builder;
  const JsonList lists[] = {
      {"tensors", "tensor", kTensorFields,
       [&](const Json& tensor, std::size_t i) { builder.add_tensor(read_tensor(tensor, i)); }},
      {"nodes", "node", kNodeFields,
       [&](const Json& node, std::size_t i) { builder.add_node(read_node(node, i)); }}};
  const JsonSchema schema{"graph", kFormat, kFields, "meta", lists};
  Remarks remarks(where, reading);
  const Json document = read_json(text, where, schema, &remarks);
  try {
    const JsonFields fields(document, "graph");
    check_format(fields, kFormat);
    fields.required_list("tensors");
    fields.required_list("nodes");
    builder.set_name(fields.text("name"));
    builder.set_source(fields.text("source"));
    if (const std::string meta = fields.text("meta"); meta != "null") builder.set_meta_json(meta);
    Graph graph = std::move(builder).build();
    if (reading.strict) refuse_unordered(graph);
    remarks.tell();
    return graph;
  } catch (const InputError& error) {
    throw InputError(where, error.what());
  }
}

Graph load_graph(const std::string& path, const Reading& reading) {
  return parse_graph(read_file(path), path, reading);
}

std::string format_graph(const Graph& graph) {
  OrderedJson head = {
      {"format", kFormat}, {"version", 1}, {"name", graph.name()}, {"source", graph.source()}};
  std::string text = json_text(head);
  text.pop_back();  // its closing brace: the fields go on
  if (!graph.meta_json().empty()) text += ",\"meta\":" + checked_json(graph.meta_json());
  append_list(
      "tensors", graph.tensors(), [&](TensorId t) { return tensor_json(graph, t); }, &text);
  append_list(
      "nodes", graph.nodes(), [&](NodeId v) { return node_json(graph, v); }, &text);
  return text + "}\n";
}

void save_graph(const Graph& graph, const std::string& path) {
  write_file_atomically(path, format_graph(graph));
}

}  // namespace lowtide
