// Pruning: nodes that nobody needs are left out.
//
// A node is dead if it makes something, none of it is kept or read by a node that is not dead, and
// it writes nothing in place. A node that makes nothing stays: whatever it runs for, the format
// cannot say. `after` alone keeps nobody alive; who had to follow a dead node follows instead what
// that had to follow.
//
// What this keeps. Any order of the whole graph, without its dead nodes, is an order of the pruned
// one and needs nowhere more: tensors that only dead nodes read die earlier, reuses in place happen
// no less often. So a lower bound for the pruned graph is one for the whole.
// What it may not. A plan runs every node, so the dead ones are put back (restore(): right after
// what they need), and where their own bytes do not fit under the peak, that raises it. The planner
// looks: if it does, it plans the whole graph as well. To be rid of dead nodes for good, mend the
// graph.
#pragma once

#include <optional>

#include "lowtide/base/limits.h"
#include "lowtide/rewrite/rewritten.h"

namespace lowtide {

// Nothing if no node is dead.
std::optional<Rewritten> prune(const Graph& graph, Meter* meter);

}  // namespace lowtide
