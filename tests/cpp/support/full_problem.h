// Small problems whose every step is as full as the fullest, with and without a layout that leaves
// no byte free.
#pragma once

#include <cstdint>

#include "lowtide/model/layout_problem.h"

namespace lowtide::testing {

// A few random buffers on four steps, and on each step one that fills it up. Some with alignments,
// some with a fixed offset.
LayoutProblem full_problem(std::uint64_t seed);

// Is every section of every part full at the load?
bool is_full(const LayoutProblem& problem);

}  // namespace lowtide::testing
