// The least arena of a schedule, by trying everything: an oracle in the words of docs/formats.md
// that knows a Graph and nothing else of lowtide.
#pragma once

#include "lowtide/graph/graph.h"
#include "lowtide/graph/plan.h"

namespace lowtide::testing {

struct LeastArena {
  Bytes peak;   // the least peak, over all choices of reuses
  Bytes arena;  // the least arena, over all choices of reuses and all offsets
};

// Tensors, workspaces, inputs that nobody reads (in no step, but within the arena), reuses (any
// choice of those in which `old` dies, if `use_reuse`; what `fresh` leaves of the bytes is free
// from the next step on). Sizes are rounded up to `alignment`. For a dozen things of a few bytes.
LeastArena least_arena(const Graph& graph, const Schedule& schedule, Bytes alignment,
                       bool use_reuse);

}  // namespace lowtide::testing
