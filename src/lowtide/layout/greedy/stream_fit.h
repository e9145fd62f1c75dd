// What an allocator would do: walk through time, give each buffer the tightest gap when it starts,
// take its bytes back when it ends. Gaps are kept by offset and by size, so it is O(n log n)
// whatever the instance: the answer for a million buffers, or when there is no time for a better
// one.
//
// When the time is up on the way (seen every 16 000 buffers, so that fewer always get the whole
// walk), the rest is served in O(1) each: sizes are rounded up to classes, and bytes go on whole
// within a class. That is 2 to 7 times the load on 10^6 buffers and a limit of 0.1 s, and still
// far from no reuse at all; by exact sizes instead of classes it was up to 60 times.
#pragma once

#include "lowtide/base/limits.h"
#include "lowtide/model/layout_problem.h"

namespace lowtide {

// Requires a problem without fixed offsets.
Layout stream_fit(const LayoutProblem& problem, const Limits& limits);

}  // namespace lowtide
