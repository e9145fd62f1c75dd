#include "lowtide/report/contributors.h"

#include <algorithm>
#include <map>

#include "lowtide/base/text.h"

namespace lowtide {
namespace {

std::string in_words(const Graph& graph, const ModuleLabels& modules, TensorId t) {
  std::string text = format_bytes(graph.bytes(t)) + "  " + quote(graph.tensor_name(t)) + " (";
  const NodeId producer = graph.producer(t);
  if (!producer.is_none() && !graph.op(producer).empty())
    text += escaped(graph.op(producer)) + ", ";
  text += to_string(role_of(graph, t));
  if (!producer.is_none() && modules.of_node[producer] != 0)
    text += ", " + escaped(modules.names[modules.of_node[producer]]);
  return text + ")";
}

Bytes workspace_at_peak(const Graph& graph, const Timeline& timeline) {
  if (timeline.schedule.empty()) return 0;
  return graph.workspace_bytes(timeline.schedule[static_cast<std::size_t>(timeline.peak_step)]);
}

using Sizes = std::map<std::string, Bytes>;

// What is in memory at the peak under the names that `name_of` gives; adds up to the peak.
template <typename NameOf>
Sizes sizes_at_peak(const Graph& graph, const Timeline& timeline, const NameOf& name_of) {
  Sizes sizes;
  if (timeline.schedule.empty()) return sizes;
  Bytes rest = timeline.peak_bytes;
  for (TensorId t : live_at(graph, timeline, timeline.peak_step)) {
    sizes[std::string(name_of(t))] += graph.bytes(t);
    rest -= graph.bytes(t);
  }
  const Bytes workspace = workspace_at_peak(graph, timeline);
  if (workspace != 0) sizes["(workspace)"] += workspace;
  if (rest != workspace) sizes["(reused in place)"] += rest - workspace;
  return sizes;
}

Sizes sizes_by_tensor(const Graph& graph, const Timeline& timeline) {
  return sizes_at_peak(graph, timeline, [&](TensorId t) { return graph.tensor_name(t); });
}

}  // namespace

std::vector<std::string> largest_at_peak(const Graph& graph, const Timeline& timeline,
                                         std::size_t most) {
  const ModuleLabels modules = module_labels(graph);
  std::vector<std::string> lines;
  for (TensorId t : live_at(graph, timeline, timeline.peak_step)) {
    if (lines.size() == most) break;
    lines.push_back(in_words(graph, modules, t));
  }
  return lines;
}

std::string peak_place(const Graph& graph, const Timeline& timeline) {
  if (timeline.schedule.empty()) return "";
  const NodeId v = timeline.schedule[static_cast<std::size_t>(timeline.peak_step)];
  std::string text = "step " + std::to_string(timeline.peak_step) + " of " +
                     std::to_string(timeline.schedule.size()) + ", " + quote(graph.node_name(v));
  if (!graph.op(v).empty()) text += " (" + escaped(graph.op(v)) + ")";
  return text;
}

std::vector<LiveGroup> groups_at_peak(const Graph& graph, const Timeline& timeline, GroupBy by) {
  const auto name_of = [&](TensorId t) -> std::string_view {
    const NodeId producer = graph.producer(t);
    if (producer.is_none()) return "(given)";
    const std::string_view name =
        by == GroupBy::kPhase ? graph.phase(producer) : graph.op(producer);
    return name.empty() ? "(unnamed)" : name;
  };
  std::vector<LiveGroup> groups;
  for (const auto& [name, bytes] : sizes_at_peak(graph, timeline, name_of))
    groups.push_back({name, bytes});
  std::stable_sort(groups.begin(), groups.end(),
                   [](const LiveGroup& a, const LiveGroup& b) { return a.bytes > b.bytes; });
  return groups;
}

std::vector<PeakChange> peak_changes(const Graph& old_graph, const Timeline& old_timeline,
                                     const Graph& new_graph, const Timeline& new_timeline) {
  std::map<std::string, PeakChange> by_name;
  for (const auto& [name, bytes] : sizes_by_tensor(old_graph, old_timeline))
    by_name[name] = {name, bytes, 0};
  for (const auto& [name, bytes] : sizes_by_tensor(new_graph, new_timeline)) {
    by_name[name].tensor = name;
    by_name[name].new_bytes = bytes;
  }
  std::vector<PeakChange> changes;
  for (const auto& [name, change] : by_name)
    if (change.change() != 0) changes.push_back(change);
  std::stable_sort(changes.begin(), changes.end(), [](const PeakChange& a, const PeakChange& b) {
    return a.change() > b.change();
  });
  return changes;
}

}  // namespace lowtide
