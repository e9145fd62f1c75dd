#include "lowtide/io/plan_json.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "lowtide/base/text.h"
#include "lowtide/io/file.h"
#include "lowtide/io/json_fields.h"
#include "lowtide/io/json_stream.h"
#include "lowtide/verify/verifier.h"

namespace lowtide {
namespace {

constexpr const char* kFormat = "lowtide-plan";
constexpr std::string_view kFields[] = {"format",       "version",
                                        "graph",        "schedule",
                                        "offsets",      "workspace_offsets",
                                        "reuses",       "alignment",
                                        "peak_bytes",   "peak_lower_bound_bytes",
                                        "arena_bytes",  "arena_lower_bound_bytes",
                                        "order_status", "layout_status"};

Status parse_status(const JsonFields& fields, const char* field) {
  const std::string text = fields.required_text(field);
  if (text == to_string(Status::kOptimal)) return Status::kOptimal;
  if (text == to_string(Status::kFeasible)) return Status::kFeasible;
  throw InputError(fields.label(),
                   std::string(field) + " must be optimal or feasible, not " + quote(text));
}

class PlanReader {
 public:
  explicit PlanReader(const Graph& graph) : graph_(graph) {
    for (NodeId v : graph.nodes()) nodes_.emplace(graph.node_name(v), v);
    for (TensorId t : graph.tensors()) tensors_.emplace(graph.tensor_name(t), t);
  }

  LoadedPlan read(const Json& document) {
    const JsonFields fields(document, "plan");
    check_format(fields, kFormat);
    Plan& plan = loaded_.plan;
    plan.graph_name = fields.text("graph");
    if (plan.graph_name != graph_.name())
      mismatch("the plan is for graph " + quote(plan.graph_name) + ", not " + quote(graph_.name()));
    read_schedule(fields);
    plan.offsets.assign(graph_.num_tensors(), kNoOffset);
    read_offsets("offsets", "tensor", fields.required_object("offsets"), tensors_, &plan.offsets);
    plan.workspace_offsets.assign(graph_.num_nodes(), kNoOffset);
    if (fields.has("workspace_offsets"))
      read_offsets("workspace_offsets", "node", fields.required_object("workspace_offsets"), nodes_,
                   &plan.workspace_offsets);
    for (const auto& [fresh, old] : fields.text_pairs("reuses")) read_reuse(fresh, old);
    if (const Json* alignment = fields.find("alignment"))
      plan.alignment = bytes_of(*alignment, "alignment");
    plan.peak_bytes = required_bytes(fields, "peak_bytes");
    plan.peak_lower_bound_bytes = required_bytes(fields, "peak_lower_bound_bytes");
    plan.arena_bytes = required_bytes(fields, "arena_bytes");
    plan.arena_lower_bound_bytes = required_bytes(fields, "arena_lower_bound_bytes");
    plan.order_status = parse_status(fields, "order_status");
    plan.layout_status = parse_status(fields, "layout_status");
    plan.peak_bound_is_claim = plan.arena_bound_is_claim = true;
    return std::move(loaded_);
  }

 private:
  void mismatch(std::string text) { loaded_.mismatches.push_back(std::move(text)); }

  // A whole number that is too large for a plan is one all the same: the plan is wrong, the file
  // is none the less a plan.
  Bytes bytes_of(const Json& value, const std::string& what) {
    if (!is_beyond_bytes(value)) return json_bytes(value, "plan: " + what);
    mismatch(what + " is " + shown(value) + ", beyond 2^63 - 1");
    return kMaxBytes;
  }

  Bytes required_bytes(const JsonFields& fields, const char* field) {
    return bytes_of(fields.required(field), field);
  }

  void read_schedule(const JsonFields& fields) {
    fields.required_list("schedule");
    for (const std::string& name : fields.texts("schedule")) {
      const auto found = nodes_.find(name);
      if (found == nodes_.end())
        mismatch("schedule: the graph has no node " + quote(name));
      else
        loaded_.plan.schedule.push_back(found->second);
    }
  }

  // {name: offset} into a vector by id.
  template <class Id>
  void read_offsets(const std::string& field, const char* what, const Json& offsets,
                    const std::unordered_map<std::string_view, Id>& ids,
                    IdVector<Id, Bytes>* result) {
    for (const auto& [name, offset] : offsets.items()) {
      const Bytes bytes = bytes_of(offset, field + " of " + quote(name));
      const auto found = ids.find(name);
      if (found == ids.end())
        mismatch(field + ": the graph has no " + what + " " + quote(name));
      else if (bytes < 0)
        mismatch(field + ": " + what + " " + quote(name) + " has the negative offset " +
                 std::to_string(bytes));
      else
        (*result)[found->second] = bytes;
    }
  }

  void read_reuse(const std::string& fresh, const std::string& old) {
    const auto found_fresh = tensors_.find(fresh);
    const auto found_old = tensors_.find(old);
    if (found_fresh == tensors_.end() || found_old == tensors_.end())
      mismatch("reuses: the graph has no tensor " +
               quote(found_fresh == tensors_.end() ? fresh : old));
    else
      loaded_.plan.reuses.push_back({found_fresh->second, found_old->second});
  }

  const Graph& graph_;
  std::unordered_map<std::string_view, NodeId> nodes_;
  std::unordered_map<std::string_view, TensorId> tensors_;
  LoadedPlan loaded_;
};

// The long lists are written by hand: as values of a document, those of a million nodes take half a
// second.
void append_schedule(const Graph& graph, const Schedule& schedule, std::string* text) {
  *text += "\"schedule\":[";
  for (std::size_t i = 0; i < schedule.size(); ++i) {
    if (i > 0) *text += ',';
    append_json_string(graph.node_name(schedule[i]), text);
  }
  *text += "],";
}

// In the order of the graph.
template <class Id, class Name>
void append_offsets(const char* field, const IdVector<Id, Bytes>& offsets, const Name& name_of,
                    std::string* text) {
  *text += std::string("\"") + field + "\":{";
  const char* separator = "";
  for (Id id : offsets.ids()) {
    if (offsets[id] == kNoOffset) continue;
    *text += std::exchange(separator, ",");
    append_json_string(name_of(id), text);
    *text += ':' + std::to_string(offsets[id]);
  }
  *text += "},";
}

}  // namespace

LoadedPlan parse_plan(const std::string& text, const std::string& where, const Graph& graph,
                      const Reading& reading) {
  Remarks remarks(where, reading);
  const Json document = read_json(text, where, {"plan", kFormat, kFields, "", {}}, &remarks);
  try {
    LoadedPlan loaded = PlanReader(graph).read(document);
    remarks.tell();
    return loaded;
  } catch (const InputError& error) {
    throw InputError(where, error.what());
  }
}

LoadedPlan load_plan(const std::string& path, const Graph& graph, const Reading& reading) {
  return parse_plan(read_file(path), path, graph, reading);
}

Plan load_verified_plan(const std::string& path, const Graph& graph, const Reading& reading,
                        std::size_t most_named) {
  LoadedPlan loaded = load_plan(path, graph, reading);
  if (!loaded.mismatches.empty()) throw InputError(path, loaded.mismatches.front());
  std::string wrong;
  const auto violations = verify(graph, loaded.plan, most_named);
  for (std::size_t i = 0; i < std::min(most_named, violations.size()); ++i)
    wrong += (i == 0 ? "" : "; ") + violations[i].text;
  if (!wrong.empty()) throw InputError(path, "does not verify: " + wrong);
  return std::move(loaded.plan);
}

std::string format_plan(const Graph& graph, const Plan& plan) {
  const OrderedJson head = {{"format", kFormat}, {"version", 1}, {"graph", plan.graph_name}};
  std::string text = json_text(head);
  text.back() = ',';  // its closing brace: the document goes on
  append_schedule(graph, plan.schedule, &text);
  append_offsets(
      "offsets", plan.offsets, [&](TensorId t) { return graph.tensor_name(t); }, &text);
  const bool has_workspaces =
      std::any_of(plan.workspace_offsets.begin(), plan.workspace_offsets.end(),
                  [](Bytes offset) { return offset != kNoOffset; });
  if (has_workspaces)
    append_offsets(
        "workspace_offsets", plan.workspace_offsets, [&](NodeId v) { return graph.node_name(v); },
        &text);
  OrderedJson rest;
  for (const Reuse& reuse : plan.reuses)
    rest["reuses"][std::string(graph.tensor_name(reuse.fresh))] = graph.tensor_name(reuse.old);
  rest["alignment"] = plan.alignment;
  rest["peak_bytes"] = plan.peak_bytes;
  rest["peak_lower_bound_bytes"] = plan.peak_lower_bound_bytes;
  rest["arena_bytes"] = plan.arena_bytes;
  rest["arena_lower_bound_bytes"] = plan.arena_lower_bound_bytes;
  rest["order_status"] = to_string(plan.order_status);
  rest["layout_status"] = to_string(plan.layout_status);
  return text + json_text(rest).substr(1) + "\n";
}

void save_plan(const Graph& graph, const Plan& plan, const std::string& path) {
  write_file_atomically(path, format_plan(graph, plan));
}

}  // namespace lowtide
