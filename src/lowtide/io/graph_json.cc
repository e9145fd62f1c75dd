#include "lowtide/io/graph_json.h"

#include <functional>

#include "lowtide/base/text.h"
#include "lowtide/graph/graph_builder.h"
#include "lowtide/io/file.h"
#include "lowtide/io/json_fields.h"

namespace lowtide {
namespace {

constexpr const char* kFormat = "lowtide-graph";

// "tensor 'x'", or "tensor 7" where the name is missing.
std::string label_of(const char* what, const Json& object, std::size_t index) {
  if (object.is_object()) {
    const auto name = object.find("name");
    if (name != object.end() && name->is_string())
      return std::string(what) + " " + quote(name->get_ref<const std::string&>());
  }
  return std::string(what) + " " + std::to_string(index);
}

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

// Sees every value the parser finishes and takes the elements of "tensors" and "nodes" away.
class GraphReader {
 public:
  // The parser's filter: false drops the value. Depths: 0 the document, 1 a section, 2 an element.
  bool operator()(int depth, Json::parse_event_t event, Json& value) {
    using Event = Json::parse_event_t;
    if (depth == 1 && event == Event::key) {
      section_ = value.get<std::string>();
      in_list_ = false;
    } else if (depth == 1 && event == Event::array_start) {
      in_list_ = section_ == "tensors" || section_ == "nodes";
    } else if (depth == 1 && event == Event::value && section_ == "format" && value != kFormat) {
      throw InputError("graph",
                       std::string("format must be '") + kFormat + "', not " + shown(value));
    }
    const bool finished =
        event == Event::object_end || event == Event::array_end || event == Event::value;
    if (depth != 2 || !in_list_ || !finished) return true;
    add(value);
    return false;
  }

  Graph finish(const Json& document) {
    const JsonFields fields(document, "graph");
    check_format(fields, kFormat);
    fields.required_list("tensors");
    fields.required_list("nodes");
    builder_.set_name(fields.text("name"));
    builder_.set_source(fields.text("source"));
    if (fields.has("meta")) builder_.set_meta_json(json_text(document["meta"]));
    return std::move(builder_).build();
  }

 private:
  void add(const Json& element) {
    if (section_ == "tensors")
      builder_.add_tensor(read_tensor(element, num_tensors_++));
    else
      builder_.add_node(read_node(element, num_nodes_++));
  }

  GraphBuilder builder_;
  std::string section_;
  bool in_list_ = false;
  std::size_t num_tensors_ = 0;
  std::size_t num_nodes_ = 0;
};

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

Graph parse_graph(const std::string& text, const std::string& where) {
  GraphReader reader;
  const Json document = parse_json(text, where, std::ref(reader));
  try {
    return reader.finish(document);
  } catch (const InputError& error) {
    throw InputError(where, error.what());
  }
}

Graph load_graph(const std::string& path) { return parse_graph(read_file(path), path); }

std::string format_graph(const Graph& graph) {
  OrderedJson head = {
      {"format", kFormat}, {"version", 1}, {"name", graph.name()}, {"source", graph.source()}};
  if (!graph.meta_json().empty()) head["meta"] = OrderedJson::parse(graph.meta_json());
  std::string text = json_text(head);
  text.pop_back();  // its closing brace: the lists go on
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
