// What an allocator would do: walk through time, give each buffer the tightest gap when it starts,
// take its bytes back when it ends. Gaps are kept by offset and by size, so it is O(n log n)
// whatever the instance: the answer for a million buffers, or when there is no time for a better
// one.
#pragma once

#include "lowtide/model/layout_problem.h"

namespace lowtide {

// Requires a problem without fixed offsets.
Layout stream_fit(const LayoutProblem& problem);

}  // namespace lowtide
