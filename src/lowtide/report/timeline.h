// Memory over the steps of one schedule: the curve, the phases beneath it, every planned tensor's
// lifetime, and who is live at a step. What every chart, table and export of this folder is drawn
// from.
#pragma once

#include <string_view>
#include <vector>

#include "lowtide/base/interval.h"
#include "lowtide/graph/graph.h"
#include "lowtide/graph/plan.h"

namespace lowtide {

// Neighbouring steps of one phase, merged. A plan that updates weights early flips between phases
// hundreds of times; that is what it does, so it is shown.
struct PhaseSpan {
  std::string_view phase;  // the graph's own text
  Step first;
  Step last;  // inclusive
};

struct Timeline {
  Schedule schedule;
  std::vector<Bytes> curve;  // bytes needed at each step
  std::vector<PhaseSpan> phases;
  std::vector<TensorId> planned;          // tensors of bytes > 0 that are not persistent
  IdVector<TensorId, Interval> lifetime;  // empty for tensors that are not planned
  std::vector<NodeId> with_workspace;     // nodes that need one, as they stand in the graph
  IdVector<NodeId, Step> step;            // of each node
  Bytes peak_bytes = 0;
  Step peak_step = 0;  // the first step that needs the peak

  bool is_live(TensorId t, Step at) const { return lifetime[t].contains(at); }
};

// Nothing reused. O(nodes + tensors).
Timeline make_timeline(const Graph& graph, const Schedule& schedule);

// The plan's own schedule and reuses.
Timeline make_timeline(const Graph& graph, const Plan& plan);

// The nodes as they stand in the graph.
Schedule program_order_of(const Graph& graph);

// Planned tensors live at a step, largest first (equal sizes: by id).
std::vector<TensorId> live_at(const Graph& graph, const Timeline& timeline, Step step);

}  // namespace lowtide
