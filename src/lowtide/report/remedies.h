// What would help: which tensors could be out of memory while the peak passes, and what that buys.
//
// A tensor has *holes*: runs of steps in which it lives but no node touches it. Within a hole its
// bytes may be elsewhere: copied out and back (offload), or dropped and computed again just before
// the next use (recompute;
// possible where what its producer reads is in memory at that use anyway, unchanged).
// The estimate empties holes one by one: at the step of the peak, the largest tensor that has a
// hole there, until none is left. It keeps the order of the plan and counts memory exactly; its
// cost is bytes moved, or bytes that the repeated nodes read and write. It is an estimate because a
// planner that chooses order and holes together can do better.
#pragma once

#include <vector>

#include "lowtide/base/interval.h"
#include "lowtide/graph/graph.h"
#include "lowtide/graph/plan.h"
#include "lowtide/report/timeline.h"

namespace lowtide {

struct EmptiedHole {
  TensorId tensor;
  Interval steps;        // where it is out of memory
  Bytes cost_bytes = 0;  // moved, or read and written again
  Bytes peak_bytes = 0;  // of the whole run, with this hole and all before it emptied
};

inline constexpr std::size_t kMostHoles = 400;

// O(holes x (nodes + tensors)), at most kMostHoles holes.
std::vector<EmptiedHole> offload_estimate(const Graph& graph, const Timeline& timeline);
// Leaves out nodes whose result is random (dropout masks): they would have to be replayed.
std::vector<EmptiedHole> recompute_estimate(const Graph& graph, const Timeline& timeline);

// What early weight updates alone bring; `updates` is 0 for a graph without an optimizer.
struct EarlyUpdates {
  std::size_t updates = 0;       // optimizer nodes
  std::size_t early = 0;         // of them, how many run before the last backward node
  Bytes hoisted_peak_bytes = 0;  // program order with each update as early as it may run
};

EarlyUpdates early_updates(const Graph& graph, const Timeline& timeline);

}  // namespace lowtide
