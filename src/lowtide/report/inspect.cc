#include "lowtide/report/inspect.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "lowtide/base/text.h"
#include "lowtide/report/contributors.h"
#include "lowtide/report/labels.h"

namespace lowtide {
namespace {

constexpr int kLabelColumns = 12;
constexpr int kEighths = 8;
constexpr std::size_t kTensorsShown = 10;
constexpr std::size_t kGroupsShown = 6;
constexpr std::array<const char*, kEighths + 1> kBlocks = {" ", "▁", "▂", "▃", "▄",
                                                           "▅", "▆", "▇", "█"};

// The steps that column `c` of `columns` stands for; at least one.
Interval steps_of_column(std::size_t c, std::size_t columns, std::size_t steps) {
  const std::size_t first = c * steps / columns;
  const std::size_t end = std::max(first + 1, (c + 1) * steps / columns);
  return {static_cast<Step>(first), static_cast<Step>(end)};
}

std::vector<Bytes> highest_per_column(const std::vector<Bytes>& curve, std::size_t columns) {
  std::vector<Bytes> highest;
  for (std::size_t c = 0; c < columns; ++c) {
    const Interval steps = steps_of_column(c, columns, curve.size());
    highest.push_back(*std::max_element(curve.begin() + steps.lower, curve.begin() + steps.upper));
  }
  return highest;
}

std::string label(Bytes bytes) {
  std::array<char, 48> text;
  std::snprintf(text.data(), text.size(), "%*s ", kLabelColumns - 2, format_bytes(bytes).c_str());
  return text.data();
}

// How many eighths of row `row` (0 at the bottom) a value fills.
int eighths_in_row(Bytes value, Bytes top, int row, int rows) {
  const double filled = static_cast<double>(value) / static_cast<double>(top) * rows * kEighths;
  const int whole = static_cast<int>(filled + 0.5);
  return std::clamp(whole - row * kEighths, value > 0 && row == 0 ? 1 : 0, kEighths);
}

// One letter a column: the phase of its first step, so that the strip reads like "ffffbbbboo".
std::string phase_strip(const Graph& graph, const Timeline& timeline, std::size_t columns) {
  std::string strip(kLabelColumns, ' ');
  for (std::size_t c = 0; c < columns; ++c) {
    const Interval steps = steps_of_column(c, columns, timeline.schedule.size());
    const NodeId v = timeline.schedule[static_cast<std::size_t>(steps.lower)];
    const std::string_view phase = graph.phase(v);
    strip += phase.empty() || phase[0] <= ' ' || phase[0] > '~' ? '-' : phase[0];
  }
  return strip + "\n";
}

// Where the peak is, under the chart.
std::string peak_marker(const Timeline& timeline, std::size_t columns) {
  const std::size_t column =
      static_cast<std::size_t>(timeline.peak_step) * columns / timeline.schedule.size();
  return std::string(kLabelColumns + column, ' ') + "▲ peak\n";
}

std::string legend(const Timeline& timeline) {
  std::vector<std::string_view> seen;
  for (const PhaseSpan& span : timeline.phases)
    if (!span.phase.empty() && std::find(seen.begin(), seen.end(), span.phase) == seen.end())
      seen.push_back(span.phase);
  if (seen.empty()) return "";
  std::string text(kLabelColumns, ' ');
  for (std::size_t i = 0; i < seen.size(); ++i) text += (i == 0 ? "" : "  ") + escaped(seen[i]);
  return text + "\n";
}

// A fused kernel's operator lists all that it fuses: too long for a table.
std::string op_text(std::string_view op) {
  constexpr std::size_t kMostCharacters = 48;
  const std::string text = escaped(op);
  if (text.size() <= kMostCharacters) return text;
  std::size_t end = kMostCharacters - 1;
  while (end > 0 && (text[end] & 0xC0) == 0x80) --end;  // not within a character
  return text.substr(0, end) + "…";
}

std::string share(Bytes bytes, Bytes whole) {
  std::array<char, 64> text;
  std::snprintf(
      text.data(), text.size(), "%12s %6.1f %%  ", format_bytes(bytes).c_str(),
      100.0 * static_cast<double>(bytes) / static_cast<double>(std::max<Bytes>(1, whole)));
  return text.data();
}

std::string group_rows(const std::vector<LiveGroup>& groups, Bytes peak) {
  std::string text;
  Bytes rest = peak;
  for (std::size_t i = 0; i < std::min(kGroupsShown, groups.size()); ++i) {
    text += share(groups[i].bytes, peak) + op_text(groups[i].name) + "\n";
    rest -= groups[i].bytes;
  }
  if (groups.size() > kGroupsShown)
    text += share(rest, peak) + std::to_string(groups.size() - kGroupsShown) + " others\n";
  return text;
}

// Why no order needs less, for a reader who has not seen analysis/lower_bounds.h.
std::string reason_text(const Graph& graph, const BoundReason& reason) {
  const std::string node = quote(graph.node_name(reason.node));
  const std::string forced = format_bytes(reason.forced_bytes);
  switch (reason.kind) {
    case BoundKind::kForced:
      return "reachability: whatever the order, " + std::to_string(reason.forced.size()) +
             " tensors are in memory when " + node + " runs\n";
    case BoundKind::kCut:
      return "minimum cut: " + forced + " are in memory whatever the order when " + node +
             " runs, and the nodes that could free the rest need as much themselves\n";
    case BoundKind::kClaim:
      return "a claim, not proved here; the most that one node forces is " + forced + ", at " +
             node + "\n";
    case BoundKind::kSearch:
      return "exhausted search: no single node explains it; the most that one forces is " + forced +
             ", at " + node + "\n";
  }
  return "";
}

std::string role_text(const Graph& graph, TensorId t) {
  const Role role = role_of(graph, t);
  return role == Role::kOther ? "" : std::string("  ") + to_string(role);
}

std::string above(Bytes value, Bytes bound) {
  if (value <= bound) return "meets it";
  std::array<char, 48> text;
  std::snprintf(text.data(), text.size(), "is %.2f %% above",
                100.0 * (static_cast<double>(value) / static_cast<double>(bound) - 1));
  return bound > 0 ? text.data() : "is above";
}

}  // namespace

std::string draw_curve(const Graph& graph, const Timeline& timeline, TerminalSize size) {
  if (timeline.curve.empty()) return "";
  const auto columns = static_cast<std::size_t>(std::max(40, size.columns) - kLabelColumns);
  const std::vector<Bytes> values = highest_per_column(timeline.curve, columns);
  const Bytes top = std::max<Bytes>(1, timeline.peak_bytes);
  const int rows = std::max(1, size.rows);
  std::string text;
  for (int row = rows - 1; row >= 0; --row) {
    text += label(static_cast<Bytes>(static_cast<double>(top) * (row + 1) / rows)) + "┤";
    for (const Bytes value : values) text += kBlocks[eighths_in_row(value, top, row, rows)];
    text += "\n";
  }
  return text + phase_strip(graph, timeline, columns) + peak_marker(timeline, columns) +
         legend(timeline);
}

std::string largest_tensors_table(const Graph& graph, const Timeline& timeline, std::size_t most) {
  const std::vector<TensorId> live = live_at(graph, timeline, timeline.peak_step);
  std::string text;
  for (std::size_t i = 0; i < std::min(most, live.size()); ++i) {
    const TensorId t = live[i];
    const NodeId producer = graph.producer(t);
    const Interval life = timeline.lifetime[t];
    text += share(graph.bytes(t), timeline.peak_bytes) + "steps " + std::to_string(life.lower) +
            "-" + std::to_string(life.upper - 1) + "  " + quote(graph.tensor_name(t)) + "  " +
            (producer.is_none() ? "given" : op_text(graph.op(producer))) + role_text(graph, t) +
            "\n";
  }
  if (live.size() > most)
    text += "             and " + std::to_string(live.size() - most) + " smaller tensors\n";
  return text;
}

std::string groups_table(const Graph& graph, const Timeline& timeline) {
  const auto rows = [&](GroupBy by) {
    return group_rows(groups_at_peak(graph, timeline, by), timeline.peak_bytes);
  };
  const bool has_phases = std::any_of(timeline.phases.begin(), timeline.phases.end(),
                                      [](const PhaseSpan& span) { return !span.phase.empty(); });
  return (has_phases ? "by the phase that made it\n" + rows(GroupBy::kPhase) : "") +
         "by operator\n" + rows(GroupBy::kOperator);
}

std::string bound_text(const Graph& graph, const Timeline& timeline, const Plan& plan,
                       const BoundReason& reason) {
  if (reason.node.is_none()) return "";
  const Bytes bound = plan.peak_lower_bound_bytes;
  const bool is_claim = reason.kind == BoundKind::kClaim;
  return (is_claim ? "the plan's file claims that no" : "no") +
         std::string(" order needs less than ") + format_bytes(bound) + ": the order drawn " +
         above(timeline.peak_bytes, bound) + ", the best found " + above(plan.peak_bytes, bound) +
         "\n  " + reason_text(graph, reason);
}

std::string inspect_text(const Graph& graph, const Timeline& timeline, TerminalSize size) {
  if (timeline.schedule.empty()) return "no nodes: nothing runs, nothing is planned\n";
  const std::size_t live = live_at(graph, timeline, timeline.peak_step).size();
  return "\n" + draw_curve(graph, timeline, size) + "\npeak " + format_bytes(timeline.peak_bytes) +
         " at " + peak_place(graph, timeline) + ": " + std::to_string(live) + " tensors\n" +
         largest_tensors_table(graph, timeline, kTensorsShown) + groups_table(graph, timeline);
}

}  // namespace lowtide
