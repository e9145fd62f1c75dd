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
  for (const std::string_view phase : seen) text += one_line(phase) + "  ";
  return text + "\n";
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
    std::array<char, 128> numbers;
    std::snprintf(
        numbers.data(), numbers.size(), "%12s %6.1f %%  steps %lld-%lld  ",
        format_bytes(graph.bytes(t)).c_str(),
        100.0 * static_cast<double>(graph.bytes(t)) / static_cast<double>(timeline.peak_bytes),
        static_cast<long long>(life.lower), static_cast<long long>(life.upper - 1));
    text += numbers.data() + quote(graph.tensor_name(t)) + "  " +
            (producer.is_none() ? "given" : one_line(graph.op(producer))) + "  " +
            to_string(role_of(graph, t)) + "\n";
  }
  if (live.size() > most)
    text += "             and " + std::to_string(live.size() - most) + " smaller tensors\n";
  return text;
}

std::string inspect_text(const Graph& graph, const Timeline& timeline, TerminalSize size) {
  if (timeline.schedule.empty()) return "no nodes: nothing runs, nothing is planned\n";
  const std::size_t live = live_at(graph, timeline, timeline.peak_step).size();
  return "\n" + draw_curve(graph, timeline, size) + "\npeak " + format_bytes(timeline.peak_bytes) +
         " at " + peak_place(graph, timeline) + ": " + std::to_string(live) + " tensors\n" +
         largest_tensors_table(graph, timeline, kTensorsShown);
}

}  // namespace lowtide
