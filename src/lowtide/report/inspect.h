// A timeline drawn in a terminal: memory over the steps in Unicode blocks, phases beneath, what the
// peak consists of, and which bound says that no order can do better.
#pragma once

#include <string>

#include "lowtide/graph/graph.h"
#include "lowtide/report/bound_reason.h"
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

// What the peak consists of, by phase and by operator, a table each.
std::string groups_table(const Graph& graph, const Timeline& timeline);

// The lower bound of `plan`, the bound of analysis/lower_bounds.h that is tight, the node that
// forces it, and how far the plan's peak and `timeline`'s stand above it.
std::string bound_text(const Graph& graph, const Timeline& timeline, const Plan& plan,
                       const BoundReason& reason);

// The curve and the peak, under a heading.
std::string inspect_text(const Graph& graph, const Timeline& timeline, TerminalSize size = {});

}  // namespace lowtide
