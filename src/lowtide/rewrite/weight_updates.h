// Control edges for early weight updates (the paper's section 4.3): what is freed by a weight's
// update, its gradient above all, should not wait for the end of the backward pass.
//
// Take the order that runs every optimizer node as early as it may, else program order ('hoist').
// Each update that nothing depends on is made a predecessor of the next node in it that is no
// update. The nodes are numbered in that order, and all new edges point forwards in it, so they
// make no cycle.
//
// What this keeps. Every order of the new graph is one of the old, and hoist's is one of the new:
// no optimum above hoist's peak.
// What it may not: the optimum. An update with temporaries of its own may have to wait until there
// is room for them. So the pass is off unless asked for, and a bound proved with it holds for the
// edges' graph only: the planner proves another. (The case that is free by construction, an update
// that fits into what its gradient's node needs anyway, is contraction's eager rule.)
//
// What it is for: programs over timesteps. An update that could run at any step of the backward
// pass is left with a few (analysis/spans.h), and the integer program with as many variables fewer.
#pragma once

#include <optional>

#include "lowtide/base/limits.h"
#include "lowtide/rewrite/rewritten.h"

namespace lowtide {

// Nothing if no update can wait.
std::optional<Rewritten> weight_updates(const Graph& graph, Meter* meter);

}  // namespace lowtide
