// A rectangle of time and bytes cut into buffers: its height is the optimum, and the load
// everywhere.
#pragma once

#include <cstdint>

#include "lowtide/model/layout_problem.h"

namespace lowtide::testing {

// At least `count` pieces, in random order: half of the cuts go through a random piece from side to
// side, half make a pinwheel of it, which no such cuts do.
LayoutProblem planted(std::uint64_t seed, int count, Interval time, Bytes height);

}  // namespace lowtide::testing
