#include "lowtide/report/diff.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <vector>

#include "lowtide/base/text.h"
#include "lowtide/report/contributors.h"
#include "lowtide/report/timeline.h"

namespace lowtide {
namespace {

struct Row {
  std::string name;
  Bytes before;
  Bytes after;
  bool is_size;
};

std::string shown(Bytes value, bool is_size) {
  return is_size ? format_bytes(value) : std::to_string(value);
}

std::string signed_text(Bytes change, bool is_size) {
  if (change == 0) return "same";
  return (change > 0 ? "+" : "-") + shown(change > 0 ? change : -change, is_size);
}

std::string change_text(const Row& row) {
  std::string text = signed_text(row.after - row.before, row.is_size);
  if (row.before <= 0 || row.after == row.before) return text;
  std::array<char, 32> percent;
  std::snprintf(
      percent.data(), percent.size(), " (%+.2f %%)",
      100.0 * static_cast<double>(row.after - row.before) / static_cast<double>(row.before));
  return text + percent.data();
}

Bytes program_peak(const Graph& graph) {
  return make_timeline(graph, program_order_of(graph)).peak_bytes;
}

std::vector<Row> figures(const DiffSide& before, const DiffSide& after) {
  const auto count = [](std::size_t number) { return static_cast<Bytes>(number); };
  const bool is_claim = before.plan.peak_bound_is_claim || after.plan.peak_bound_is_claim;
  return {{"peak", before.plan.peak_bytes, after.plan.peak_bytes, true},
          {is_claim ? "bound (claimed)" : "no order below", before.plan.peak_lower_bound_bytes,
           after.plan.peak_lower_bound_bytes, true},
          {"program order", program_peak(before.graph), program_peak(after.graph), true},
          {"arena", before.plan.arena_bytes, after.plan.arena_bytes, true},
          {"persistent", before.graph.persistent_bytes(), after.graph.persistent_bytes(), true},
          {"nodes", count(before.graph.num_nodes()), count(after.graph.num_nodes()), false},
          {"tensors", count(before.graph.num_tensors()), count(after.graph.num_tensors()), false}};
}

// The largest changes either way, growth first, and the sum of the rest.
struct Changes {
  std::vector<PeakChange> named;
  std::size_t others = 0;
  Bytes others_change = 0;
};

Changes largest_changes(const DiffSide& before, const DiffSide& after, std::size_t most) {
  Changes changes;
  changes.named = peak_changes(before.graph, make_timeline(before.graph, before.plan), after.graph,
                               make_timeline(after.graph, after.plan));
  const auto weight = [](const PeakChange& c) { return c.change() > 0 ? c.change() : -c.change(); };
  std::stable_sort(changes.named.begin(), changes.named.end(),
                   [&](const PeakChange& a, const PeakChange& b) { return weight(a) > weight(b); });
  for (; changes.named.size() > most; changes.named.pop_back()) {
    ++changes.others;
    changes.others_change += changes.named.back().change();
  }
  std::stable_sort(
      changes.named.begin(), changes.named.end(),
      [](const PeakChange& a, const PeakChange& b) { return a.change() > b.change(); });
  return changes;
}

// A name as Markdown code inside a table cell.
std::string code(std::string_view name) {
  const std::string quoted = quote(name);
  std::string result = "`";
  for (const char c : std::string_view(quoted).substr(1, quoted.size() - 2)) {
    if (c == '`')
      result += '\'';
    else if (c == '|')
      result += "\\|";
    else
      result += c;
  }
  return result + "`";
}

std::string headline(const DiffSide& before, const DiffSide& after) {
  const Row peak{"peak", before.plan.peak_bytes, after.plan.peak_bytes, true};
  return "peak " + format_bytes(peak.before) + " -> " + format_bytes(peak.after) + ", " +
         change_text(peak);
}

std::string markdown(const DiffSide& before, const DiffSide& after, const Changes& changes) {
  std::string text = "### " + code(after.graph.name()) + ": " + headline(before, after) +
                     "\n\n| | before | after | change |\n|---|---:|---:|---:|\n";
  for (const Row& row : figures(before, after))
    text += "| " + row.name + " | " + shown(row.before, row.is_size) + " | " +
            shown(row.after, row.is_size) + " | " + change_text(row) + " |\n";
  if (changes.named.empty()) return text + "\nThe same tensors are in memory at both peaks.\n";
  text +=
      "\n<details><summary>Tensors that changed the peak</summary>\n\n"
      "| tensor | before | after | change |\n|---|---:|---:|---:|\n";
  for (const PeakChange& change : changes.named)
    text += "| " + code(change.tensor) + " | " + shown(change.old_bytes, true) + " | " +
            shown(change.new_bytes, true) + " | " + signed_text(change.change(), true) + " |\n";
  if (changes.others > 0)
    text += "| " + std::to_string(changes.others) + " others | | | " +
            signed_text(changes.others_change, true) + " |\n";
  return text + "\n</details>\n";
}

std::string columns(const std::string& name, const std::string& before, const std::string& after,
                    const std::string& change) {
  std::array<char, 160> text;
  std::snprintf(text.data(), text.size(), "%-15s %14s %14s  %s\n", name.c_str(), before.c_str(),
                after.c_str(), change.c_str());
  return text.data();
}

std::string plain(const DiffSide& before, const DiffSide& after, const Changes& changes) {
  std::string text = escaped(after.graph.name()) + ": " + headline(before, after) + "\n" +
                     columns("", "before", "after", "change");
  for (const Row& row : figures(before, after))
    text += columns(row.name, shown(row.before, row.is_size), shown(row.after, row.is_size),
                    change_text(row));
  if (changes.named.empty()) return text + "the same tensors are in memory at both peaks\n";
  text += "in memory at the peaks:\n";
  for (const PeakChange& change : changes.named) {
    const std::string difference = signed_text(change.change(), true);
    text += std::string(difference.size() < 14 ? 14 - difference.size() : 0, ' ') + difference +
            "  " + quote(change.tensor) +
            (change.old_bytes == 0   ? " (new)"
             : change.new_bytes == 0 ? " (gone)"
                                     : "") +
            "\n";
  }
  if (changes.others > 0)
    text += "  and " + std::to_string(changes.others) + " others, " +
            signed_text(changes.others_change, true) + "\n";
  return text;
}

}  // namespace

std::string diff_report(const DiffSide& before, const DiffSide& after, DiffFormat format,
                        std::size_t most) {
  const Changes changes = largest_changes(before, after, most);
  return format == DiffFormat::kMarkdown ? markdown(before, after, changes)
                                         : plain(before, after, changes);
}

}  // namespace lowtide
