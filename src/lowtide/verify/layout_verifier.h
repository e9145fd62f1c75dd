// Is a layout right? The last word before any layout without a graph leaves lowtide: the command
// `layout`, lowtide.layout and lowtide.layout_banks.
//
// Includes only base and the plain data of model (layout_problem.h, layout_request.h,
// bank_problem.h): it trusts neither the solvers nor what they are built on, and has its own idea
// of what a buffer holds when, who may share a byte, how high a layout is and what banks cost.
// Checked: an offset for every buffer, not negative, aligned unless it is fixed, and where it was
// fixed; ties; no byte held twice at a time but by aliases and by two that use a permission; the
// height as claimed and within the capacity. Any offsets and heights of 64 bits may be asked about.
#pragma once

#include <string>

#include "lowtide/model/bank_problem.h"
#include "lowtide/model/layout_request.h"

namespace lowtide {

// The first thing that is wrong, in words; "" if nothing is. O(n log n), times those who share a
// byte at a time.
std::string layout_error(const LayoutProblem& problem, const Layout& layout);
std::string layout_error(const LayoutRequest& request, const Layout& layout);

// Also: every buffer in a bank it may be in, tied ones in the same, the cost as claimed.
std::string layout_error(const BankProblem& problem, const BankLayout& layout);

}  // namespace lowtide
