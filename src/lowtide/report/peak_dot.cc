#include "lowtide/report/peak_dot.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <set>

#include "lowtide/base/text.h"

namespace lowtide {
namespace {

// A quoted Graphviz string; names that are too long to draw lose their middle.
std::string dot_string(std::string_view text) {
  const std::string shown = quote(text);
  std::string result = "\"";
  for (const char c : std::string_view(shown).substr(1, shown.size() - 2)) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + "\"";
}

const char* fill_of(std::string_view phase) {
  if (phase == "forward") return "#cfe3f5";
  if (phase == "backward") return "#fbdfc3";
  return phase == "optimizer" ? "#cfe9d7" : "#e8ebee";
}

class Region {
 public:
  Region(const Graph& graph, const Timeline& timeline, const DotRegion& region)
      : graph_(graph), timeline_(timeline) {
    for (NodeId v : timeline.schedule)
      if (std::abs(timeline.step[v] - timeline.peak_step) <= region.steps_around) nodes_.insert(v);
    large_ = live_at(graph, timeline, timeline.peak_step);
    if (large_.size() > region.tensors) large_.resize(region.tensors);
    for (TensorId t : large_) take_ends(t);
  }

  std::string text() const {
    std::string dot =
        "digraph peak {\n  label=" +
        dot_string(std::string(graph_.name()) + ": " + format_bytes(timeline_.peak_bytes) +
                   " at step " + std::to_string(timeline_.peak_step)) +
        ";\n  labelloc=t; rankdir=TB; fontname=Helvetica;\n"
        "  node [shape=box, style=\"rounded,filled\", fontname=Helvetica, fontsize=10];\n"
        "  edge [fontname=Helvetica, fontsize=9, color=\"#7a8793\"];\n";
    for (NodeId v : nodes_) dot += node_line(v);
    for (NodeId v : nodes_)
      for (TensorId t : graph_.outputs(v)) dot += edge_lines(t);
    return dot + "}\n";
  }

 private:
  // The producer, and the first reader at or after the peak.
  void take_ends(TensorId t) {
    if (!graph_.producer(t).is_none()) nodes_.insert(graph_.producer(t));
    NodeId next;
    for (NodeId v : graph_.consumers(t))
      if (timeline_.step[v] >= timeline_.peak_step &&
          (next.is_none() || timeline_.step[v] < timeline_.step[next]))
        next = v;
    if (!next.is_none()) nodes_.insert(next);
  }
  std::string node_line(NodeId v) const {
    const bool at_peak = timeline_.step[v] == timeline_.peak_step;
    const std::string label =
        std::string(graph_.node_name(v)) + "  (step " + std::to_string(timeline_.step[v]) + ")";
    return "  n" + std::to_string(v.value()) + " [label=" + dot_string(label) +
           ", tooltip=" + dot_string(graph_.op(v)) + ", fillcolor=\"" + fill_of(graph_.phase(v)) +
           "\"" + (at_peak ? ", color=\"#c01f45\", penwidth=3" : "") + "];\n";
  }
  std::string edge_lines(TensorId t) const {
    const bool large = std::find(large_.begin(), large_.end(), t) != large_.end();
    const double share = static_cast<double>(graph_.bytes(t)) /
                         static_cast<double>(std::max<Bytes>(1, timeline_.peak_bytes));
    std::array<char, 32> width;
    std::snprintf(width.data(), width.size(), "%.2f", large ? 1.5 + 12 * std::sqrt(share) : 0.7);
    std::string lines;
    for (NodeId reader : graph_.consumers(t))
      if (nodes_.contains(reader))
        lines += "  n" + std::to_string(graph_.producer(t).value()) + " -> n" +
                 std::to_string(reader.value()) + " [penwidth=" + width.data() +
                 (large ? ", color=\"#c01f45\"" : "") +
                 ", label=" + dot_string(format_bytes(graph_.bytes(t))) + "];\n";
    return lines;
  }

  const Graph& graph_;
  const Timeline& timeline_;
  std::set<NodeId> nodes_;
  std::vector<TensorId> large_;
};

}  // namespace

std::string peak_dot(const Graph& graph, const Timeline& timeline, DotRegion region) {
  return Region(graph, timeline, region).text();
}

}  // namespace lowtide
