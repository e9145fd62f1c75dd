// What a report shows of a plan, computed once: memory over steps before and after, each placed
// tensor as a rectangle in time x address, and who is live at the peak.
#pragma once

#include <string>
#include <vector>

#include "lowtide/base/interval.h"
#include "lowtide/graph/graph.h"
#include "lowtide/graph/plan.h"

namespace lowtide {

struct PlacedTensor {
  TensorId tensor;
  Interval lifetime;  // in steps of the planned order
  Bytes offset;
};

struct PhaseSpan {
  std::string phase;
  Step first;
  Step last;  // inclusive
};

struct Timeline {
  std::vector<Bytes> before;  // bytes needed at each step of program order
  std::vector<Bytes> after;   // and of the planned order
  std::vector<PhaseSpan> phases_before;
  std::vector<PhaseSpan> phases_after;
  std::vector<PlacedTensor> tensors;   // by first step
  Step peak_step = 0;                  // the first step of the planned order that needs the peak
  std::vector<TensorId> live_at_peak;  // largest first
};

// O((nodes + tensors) log tensors).
Timeline make_timeline(const Graph& graph, const Plan& plan);

}  // namespace lowtide
