// The exact layout: heuristics first, then capacity searches until value and bound meet.
//
// Run times of one search are heavy-tailed in the order of the candidates, so each question ("at
// most C bytes?") goes to several orders in turn, with effort that doubles from round to round; the
// first that finishes, either way, answers. Without a capacity the questions are: the bound itself
// (a yes is the proof), a few heights up to the incumbent, and one unit below it (a no is the
// proof). The search is not monotone in the capacity, so a plain bisection would miss answers.
#pragma once

#include "lowtide/base/limits.h"
#include "lowtide/base/solution.h"
#include "lowtide/model/layout_problem.h"

namespace lowtide {

// Improves `start`, the best heuristic's answer. Instances with fixed offsets, or too large for
// lists of all buffers that meet, are returned as they are.
Solution<Layout> exact_layout(const LayoutProblem& problem, Solution<Layout> start,
                              const Limits& limits);

}  // namespace lowtide
