#include "lowtide/report/tensor_csv.h"

#include "lowtide/io/csv.h"
#include "lowtide/report/labels.h"
#include "lowtide/report/timeline.h"

namespace lowtide {
std::string tensor_csv(const Graph& graph, const Plan& plan) {
  const Timeline timeline = make_timeline(graph, plan);
  const ModuleLabels modules = module_labels(graph);
  std::string text = "id,lower,upper,size,offset,op,phase,part,module\n";
  for (TensorId t : timeline.planned) {
    const NodeId producer = graph.producer(t);
    const bool made = !producer.is_none();
    text += csv_cell(graph.tensor_name(t)) + "," + std::to_string(timeline.lifetime[t].lower) +
            "," + std::to_string(timeline.lifetime[t].upper) + "," +
            std::to_string(graph.bytes(t)) + "," + std::to_string(plan.offsets[t]) + "," +
            (made ? csv_cell(graph.op(producer)) : "") + "," +
            (made ? csv_cell(graph.phase(producer)) : "") + "," + to_string(role_of(graph, t)) +
            "," + (made ? csv_cell(modules.names[modules.of_node[producer]]) : "") + "\n";
  }
  return text;
}

}  // namespace lowtide
