// Who makes a peak, in words: for `lowtide check`, `lowtide inspect` and `lowtide diff`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lowtide/graph/graph.h"
#include "lowtide/report/labels.h"
#include "lowtide/report/timeline.h"

namespace lowtide {

// "98.00 MiB  'conv1' (aten.convolution.default, saved for backward, layer1.0)", largest first, one
// for each of the `most` largest tensors in memory at the peak.
std::vector<std::string> largest_at_peak(const Graph& graph, const Timeline& timeline,
                                         std::size_t most);

// A share of what a step needs.
struct LiveGroup {
  std::string name;
  Bytes bytes = 0;
};

enum class GroupBy : std::uint8_t { kPhase, kOperator };

// What the peak consists of, by the phase or the operator of the node that made each tensor,
// largest first (equal ones by name); adds up to the peak. Tensors that no node made are "(given)",
// the workspace of the node at the peak "(workspace)", what reuse saves there "(reused in place)".
std::vector<LiveGroup> groups_at_peak(const Graph& graph, const Timeline& timeline, GroupBy by);

// "step 401 of 891, 'threshold_backward' (aten.threshold_backward.default)"; "" without steps.
std::string peak_place(const Graph& graph, const Timeline& timeline);

// What made a peak grow: the tensors in memory at two peaks, matched by name. The changes, with the
// workspaces of the two nodes, add up to the difference of the peaks.
struct PeakChange {
  std::string tensor;
  Bytes old_bytes = 0;  // 0: not in memory at the old peak
  Bytes new_bytes = 0;
  Bytes change() const { return new_bytes - old_bytes; }
};

// Changes of other than 0 bytes, largest growth first; equal ones by name. The workspace of the
// nodes at the peaks is "(workspace)", what reuse saves there "(reused in place)".
std::vector<PeakChange> peak_changes(const Graph& old_graph, const Timeline& old_timeline,
                                     const Graph& new_graph, const Timeline& new_timeline);

}  // namespace lowtide
