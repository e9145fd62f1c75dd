#include "lowtide/report/tensor_csv.h"

#include "lowtide/io/csv.h"
#include "lowtide/report/labels.h"
#include "lowtide/report/timeline.h"

namespace lowtide {
namespace {

// The first of those whose bytes a tensor takes over, itself if it takes none.
IdVector<TensorId, TensorId> first_owners(const Graph& graph, const Plan& plan) {
  IdVector<TensorId, TensorId> takes_over(graph.num_tensors()), first(graph.num_tensors());
  for (const Reuse& reuse : plan.reuses) takes_over[reuse.fresh] = reuse.old;
  for (TensorId t : graph.tensors())
    if (graph.producer(t).is_none()) first[t] = t;
  for (NodeId v : plan.schedule)
    for (TensorId t : graph.outputs(v))
      first[t] = takes_over[t].is_none() ? t : first[takes_over[t]];
  return first;
}

}  // namespace

std::string tensor_csv(const Graph& graph, const Plan& plan) {
  const Timeline timeline = make_timeline(graph, plan);
  const ModuleLabels modules = module_labels(graph);
  const bool has_aliases = !plan.reuses.empty();
  const auto first = first_owners(graph, plan);
  std::string text = "id,lower,upper,size,offset,op,phase,part,module";
  text += has_aliases ? ",alias\n" : "\n";
  const auto add_row = [&](const std::string& name, Interval life, Bytes bytes, Bytes offset,
                           NodeId producer, Role role, TensorId owner) {
    const bool made = !producer.is_none();
    text += csv_cell(name) + "," + std::to_string(life.lower) + "," + std::to_string(life.upper) +
            "," + std::to_string(bytes) + "," + std::to_string(offset) + "," +
            (made ? csv_cell(graph.op(producer)) : "") + "," +
            (made ? csv_cell(graph.phase(producer)) : "") + "," + to_string(role) + "," +
            (made ? csv_cell(modules.names[modules.of_node[producer]]) : "");
    if (has_aliases) text += "," + (owner.is_none() ? "" : csv_cell(graph.tensor_name(owner)));
    text += "\n";
  };
  for (TensorId t : timeline.planned)
    add_row(std::string(graph.tensor_name(t)), timeline.lifetime[t], graph.bytes(t),
            plan.offsets[t], graph.producer(t), role_of(graph, t), first[t]);
  for (NodeId v : timeline.with_workspace)
    add_row(workspace_name(graph, v), {timeline.step[v], timeline.step[v] + 1},
            graph.workspace_bytes(v), plan.workspace_offsets[v], v, Role::kWorkspace,
            TensorId::none());
  return text;
}

}  // namespace lowtide
