#include "lowtide/report/labels.h"

#include <algorithm>
#include <map>

namespace lowtide {
namespace {

// "layer1.0.conv1.weight" -> "layer1.0.conv1"; "" for a name without a dot.
std::string_view parent(std::string_view path) {
  const std::size_t dot = path.rfind('.');
  return dot == std::string_view::npos ? std::string_view() : path.substr(0, dot);
}

// The longest path that is `a` or one of its parents, and likewise of `b`.
std::string_view common_path(std::string_view a, std::string_view b) {
  while (!a.empty()) {
    if (b.substr(0, a.size()) == a && (b.size() == a.size() || b[a.size()] == '.')) break;
    a = parent(a);
  }
  return a;
}

// Collects the module paths of the parameters and buffers that a node touches.
class TouchedModule {
 public:
  explicit TouchedModule(const Graph& graph) : graph_(graph) {}

  void add(TensorId t) {
    const TensorKind kind = graph_.kind(t);
    if (kind != TensorKind::kParameter && kind != TensorKind::kBuffer) return;
    const std::string_view module = parent(graph_.tensor_name(t));
    path_ = found_ ? common_path(path_, module) : module;
    found_ = true;
  }
  bool found() const { return found_ && !path_.empty(); }
  std::string_view path() const { return path_; }

 private:
  const Graph& graph_;
  std::string_view path_;
  bool found_ = false;
};

// The producer of v's largest input that a node made; none() if there is none.
NodeId main_source(const Graph& graph, NodeId v) {
  NodeId source;
  Bytes largest = -1;
  for (TensorId t : graph.inputs(v)) {
    if (graph.producer(t).is_none() || graph.bytes(t) <= largest) continue;
    source = graph.producer(t);
    largest = graph.bytes(t);
  }
  return source;
}

class ModuleNames {
 public:
  explicit ModuleNames(std::vector<std::string>* names) : names_(*names) { index(""); }
  std::uint32_t index(std::string_view name) {
    const auto [entry, fresh] =
        index_.try_emplace(std::string(name), static_cast<std::uint32_t>(names_.size()));
    if (fresh) names_.emplace_back(name);
    return entry->second;
  }

 private:
  std::vector<std::string>& names_;
  std::map<std::string, std::uint32_t, std::less<>> index_;
};

enum class Phase { kNone, kForward, kBackward, kOptimizer };

Phase phase_of(const Graph& graph, NodeId v) {
  const std::string_view phase = graph.phase(v);
  if (phase == "forward") return Phase::kForward;
  if (phase == "backward") return Phase::kBackward;
  return phase == "optimizer" ? Phase::kOptimizer : Phase::kNone;
}

}  // namespace

ModuleLabels module_labels(const Graph& graph) {
  ModuleLabels labels;
  ModuleNames names(&labels.names);
  labels.of_node.assign(graph.num_nodes(), 0);
  for (NodeId v : graph.nodes()) {
    TouchedModule touched(graph);
    for (TensorId t : graph.inputs(v)) touched.add(t);
    for (TensorId t : graph.mutates(v)) touched.add(t);
    const NodeId source = main_source(graph, v);
    if (touched.found())
      labels.of_node[v] = names.index(touched.path());
    else if (!source.is_none())
      labels.of_node[v] = labels.of_node[source];
  }
  return labels;
}

const char* to_string(Role role) {
  switch (role) {
    case Role::kGiven: return "input";
    case Role::kOutput: return "output";
    case Role::kForward: return "forward only";
    case Role::kSaved: return "saved for backward";
    case Role::kGradient: return "gradient";
    case Role::kBackward: return "backward only";
    case Role::kOptimizer: return "optimizer";
    case Role::kOther: return "other";
    case Role::kWorkspace: return "workspace";
  }
  return "?";
}

Role role_of(const Graph& graph, TensorId t) {
  if (graph.is_output(t)) return Role::kOutput;
  if (graph.producer(t).is_none()) return Role::kGiven;
  const auto consumers = graph.consumers(t);
  const auto read_in = [&](Phase phase) {
    return std::any_of(consumers.begin(), consumers.end(),
                       [&](NodeId v) { return phase_of(graph, v) == phase; });
  };
  switch (phase_of(graph, graph.producer(t))) {
    case Phase::kForward: return read_in(Phase::kBackward) ? Role::kSaved : Role::kForward;
    case Phase::kBackward: return read_in(Phase::kOptimizer) ? Role::kGradient : Role::kBackward;
    case Phase::kOptimizer: return Role::kOptimizer;
    case Phase::kNone: break;
  }
  return Role::kOther;
}

std::string workspace_name(const Graph& graph, NodeId v) {
  return "workspace of " + std::string(graph.node_name(v));
}

}  // namespace lowtide
