// Is there a layout of at most `capacity` bytes? Depth-first over canonical placements.
//
// Canonical: buffers are placed in order of non-decreasing offset, each as low as the ones before
// it allow (any layout can be pressed down into such a one). So a state is a skyline, and
//
//   low(u)      the lowest offset an unplaced buffer can still have: the highest end among placed
//   buffers
//               that it meets in time;
//   rest(s)     bytes still to be placed in section s.
//
// Pruning, each without losing a solution (most in MiniMalloc; Moffitt, ASPLOS 2023):
//   Next         in a section, the buffer placed next lies at most capacity - rest(s) high; if only
//   one can,
//                the others end up above it (edge-finding of scheduling, for one machine).
//   Section      min low(u) over the unplaced u of s, plus rest(s), exceeds the capacity: fail.
//   Monotone     a candidate at offset o puts everything after it at o or above: o + rest(s) >
//   capacity in
//                any section of the component rules it out, and all candidates above it.
//   Dominance    nothing is placed at or above low(u) + size(u) of an unplaced u: u would fit
//   underneath, so
//                a layout with the least sum of offsets never does that.
//   Symmetry     of two placements at one offset the one earlier in the order comes first; of equal
//                buffers the first.
//   Decomposition  where no unplaced buffer crosses a section boundary, the sides are independent:
//   each is
//                solved once, and the failure of one fails both.
// An exhausted search is a proof that no layout fits. Cost per node: the unplaced buffers of the
// component, and the sections whose minimum moved.
#pragma once

#include <optional>
#include <vector>

#include "lowtide/base/limits.h"
#include "lowtide/layout/sections.h"
#include "lowtide/model/layout_problem.h"

namespace lowtide {

enum class Fits { kYes, kNo, kUnknown };

struct CapacityResult {
  Fits fits = Fits::kUnknown;
  Layout layout;  // only for kYes
};

// What does not depend on the capacity or the order; made once per problem. O(n^2) in the worst
// case.
struct CapacityProblem {
  CapacityProblem(const LayoutProblem& problem, const Sections& sections);

  const LayoutProblem* problem;
  const Sections* sections;
  std::vector<std::vector<int>> meets;       // by buffer: the buffers alive at a common section
  std::vector<std::vector<int>> in_section;  // by section: its buffers
};

// `order`: every buffer once; candidates at equal offsets are tried in this order. Requires a
// problem without fixed offsets.
CapacityResult search_capacity(const CapacityProblem& problem, Bytes capacity,
                               const std::vector<BufferId>& order, Meter* meter);

}  // namespace lowtide
