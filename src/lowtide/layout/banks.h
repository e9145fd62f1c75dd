// Several memories: which bank, which offset, at least cost? Branch and check (logic-based Benders
// decomposition: Hooker and Ottosson 2003, Thorsteinsson 2001).
//
//   assignment   branch and bound over the banks of the bodies (model/bodies), that keeps in every
//                section what a bank must hold within its size
//   check        an assignment without overload is laid out, bank by bank, by a solver for one
//   arena.
//                If that proves it impossible, the conflict (layout/explain) is learned: these are
//                never together in this bank again
//
// A node is a set of banks for each body; the plan is to put each into its cheapest. Where a
// section of a bank is overloaded, or a conflict together, branch on a body in it: out of this
// bank, or certainly in it.
//
// Bounds. Prices on the bytes of banks (layout/banks/bank_bound), which see all sections together.
// And in an overloaded section the bytes beyond the size must go elsewhere, each for at least the
// difference to the next dearer bank; sections that no body crosses between do not count anything
// twice, and the best set of those is found by dynamic programming. Bytes that must be in banks too
// small for them (layout/banks/bank_conflict) end the search before it begins.
//
// Answers. The plan at first, with what stands above a bank's size moved out; then what the prices
// say, in all of the banks' sizes, 95 % and 90 % of them; then those of the search.
//
// A check that is not decided within its steps proves nothing: its assignment is given up, but its
// cost stays a lower bound. So does the bound of the root when time ends. Exact on dozens of
// bodies; beyond that an answer (by moving out what stands above the size) and a bound.
#pragma once

#include "lowtide/base/limits.h"
#include "lowtide/base/solution.h"
#include "lowtide/layout/solvers.h"
#include "lowtide/model/bank_problem.h"

namespace lowtide {

// The value is the cost. `solver` lays out each bank. Requires a problem without faults.
Solution<BankLayout> solve_banks(const BankProblem& problem, const LayoutSolver& solver,
                                 const Limits& limits);

}  // namespace lowtide
