// A timeline drawn in a terminal: memory over the steps in Unicode blocks, phases beneath, the
// largest tensors at the peak.
#pragma once

#include <string>

#include "lowtide/graph/graph.h"
#include "lowtide/report/timeline.h"

namespace lowtide {

struct TerminalSize {
  int columns = 100;  // of the whole chart, labels included; at least 40 are used
  int rows = 12;      // of the curve
};

// Several lines, each ended by a line break; no escape codes. Each column shows the highest of its
// steps, so that no peak is lost.
std::string draw_curve(const Graph& graph, const Timeline& timeline, TerminalSize size = {});

// The tensors in memory at the peak: bytes, share of the peak, lifetime, name, operator, part.
std::string largest_tensors_table(const Graph& graph, const Timeline& timeline, std::size_t most);

// Both, under a heading.
std::string inspect_text(const Graph& graph, const Timeline& timeline, TerminalSize size = {});

}  // namespace lowtide
