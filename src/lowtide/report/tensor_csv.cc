#include "lowtide/report/tensor_csv.h"

#include "lowtide/report/labels.h"
#include "lowtide/report/timeline.h"

namespace lowtide {
namespace {

std::string cell(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + "\"";
}

}  // namespace

std::string tensor_csv(const Graph& graph, const Plan& plan) {
  const Timeline timeline = make_timeline(graph, plan);
  const ModuleLabels modules = module_labels(graph);
  std::string text = "id,lower,upper,size,offset,op,phase,part,module\n";
  for (TensorId t : timeline.planned) {
    const NodeId producer = graph.producer(t);
    const bool made = !producer.is_none();
    text += cell(graph.tensor_name(t)) + "," + std::to_string(timeline.lifetime[t].lower) + "," +
            std::to_string(timeline.lifetime[t].upper) + "," + std::to_string(graph.bytes(t)) +
            "," + std::to_string(plan.offsets[t]) + "," + (made ? cell(graph.op(producer)) : "") +
            "," + (made ? cell(graph.phase(producer)) : "") + "," + to_string(role_of(graph, t)) +
            "," + (made ? cell(modules.names[modules.of_node[producer]]) : "") + "\n";
  }
  return text;
}

}  // namespace lowtide
