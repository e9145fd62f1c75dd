// The simple layout solvers: take the buffers in some order and put each where it fits among those
// that are placed already and live at the same time.
//
// Orders: by start (what an allocator sees), by size, lifetime, area (size x lifetime), breadth
// (bytes live at the buffer's busiest step; TensorFlow Lite's and TVM's), all descending but the
// start. Cost: O(n k log k) with k the placed buffers that overlap one in time.
#pragma once

#include <vector>

#include "lowtide/base/limits.h"
#include "lowtide/layout/sections.h"
#include "lowtide/model/layout_problem.h"

namespace lowtide {

enum class Fit {
  kLowest,    // the lowest gap that is large enough
  kTightest,  // the smallest gap that is large enough; among equals the lowest
};

// False if the meter stopped it. Buffers with a fixed offset are placed first, wherever `order` has
// them.
bool fit_layout(const LayoutProblem& problem, const Sections& sections,
                const std::vector<BufferId>& order, Fit fit, Meter* meter, Layout* layout);

}  // namespace lowtide
