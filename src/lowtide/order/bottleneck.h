// The node of a core problem that needs most, whatever the order: the largest node bound (5b) and
// the down-set before it that attains it.
#pragma once

#include <vector>

#include "lowtide/base/limits.h"
#include "lowtide/order/core_problem.h"

namespace lowtide {

struct Bottleneck {
  int node = -1;
  Bytes bound = 0;
  std::vector<char> before;  // flags: the minimising down-set that the node runs right after
};

// Few flows, by what the nodes need in their given order (see analysis/lower_bounds.h). If the
// meter stops it, the largest so far; node -1 if none was done.
// `most_flows` bounds the work where any large bound will do; then the result may not be the
// largest.
Bottleneck find_bottleneck(const CoreProblem& core, int most_flows, Meter* meter);

}  // namespace lowtide
