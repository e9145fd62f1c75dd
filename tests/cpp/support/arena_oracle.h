// The least peak and arena of a schedule, by trying everything: an oracle in the words of
// docs/formats.md that knows a Graph and nothing else of lowtide.
#pragma once

#include "lowtide/graph/graph.h"
#include "lowtide/graph/plan.h"

namespace lowtide::testing {

// The least peak of a schedule over all choices of reuses: of those in which `old` dies, if
// `use_reuse`. What `fresh` leaves of the bytes is free from the next step on.
Bytes least_peak(const Graph& graph, const Schedule& schedule, bool use_reuse);

// The least arena over all choices of reuses and all offsets. It holds tensors, workspaces and
// inputs that nobody reads (which are in no step). Sizes are rounded up to `alignment`. For a dozen
// things of a few bytes.
Bytes least_arena(const Graph& graph, const Schedule& schedule, Bytes alignment, bool use_reuse);

}  // namespace lowtide::testing
