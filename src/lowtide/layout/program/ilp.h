// The addresses by integer programming: a second opinion on layout/search/exact, from another
// world.
//
//   1  parts: time is cut where no buffer lives (layout/search/instance.h)
//   2  for each part, the program of layout/program/address_program.h as a question: does it fit in
//   C? At
//      the bound first, then one unit below the best layout, then half-way, with rising effort
//   3  growth: the question is put to the buffers of the largest area first, and more join in
//      groups; the order that was found for the earlier ones is kept where they meet. If there is
//      no room for a group so, half of it, down to one buffer; if there is none for that one, the
//      order of the larger 3/4, 1/2, 1/4 of the earlier ones is kept, and then none
//
// Why. The relaxation says nothing: with every binary at 1/2 all sections lie around the middle of
// the arena, so the bound is the load whatever the rows. What is left is to find a layout, and
// there branch and bound is as good as its propagation: with H given, each buffer is tied from
// below and from above in each section by what the section has to spare, and an order that is kept
// leaves a program that presolve nearly solves.
//
// Guarantee. "Yes" is a layout, in exact integers. "No" counts only where no order was kept; then
// it is a proof for the whole part even if some buffers have not joined. All else is "unknown".
//
// Numbers, and what did not help, in docs/results.md ("The program for addresses").
#pragma once

#include "lowtide/base/limits.h"
#include "lowtide/base/solution.h"
#include "lowtide/model/layout_problem.h"

namespace lowtide {

// Improves `incumbent`, down to problem.capacity if given. Without a solver for integer programs
// the incumbent stays.
Solution<Layout> ilp_layout(const LayoutProblem& problem, Layout incumbent, const Limits& limits);

}  // namespace lowtide
