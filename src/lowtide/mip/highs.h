// Solves a mip::Model with HiGHS (MIT; Huangfu and Hall 2018): branch and cut. The only unit that
// knows HiGHS; without it (LOWTIDE_WITH_HIGHS=OFF) everything else builds and is_available() is
// false.
//
// The limits' time, steps and cancellation are kept, its progress sink hears of every better answer
// and bound. Time is kept as well as HiGHS looks at the clock: in the tree and in each LP, but in
// presolve only between its rounds (1 to 2 s for 10^6 coefficients). A model with no time left for
// that is not begun. Left out is the feasibility jump, which looks at no clock: 15 s of a limit of
// 5, and nothing found sooner with it.
//
// Nor is one begun with numbers beyond kLargest: HiGHS holds rows to within 1e-6, which doubles no
// longer resolve there, and its proofs would prove nothing. (Above 1e15 it refuses them.)
//
// With LOWTIDE_HIGHS_LOG=FILE in the environment HiGHS's own log is appended to FILE.
#pragma once

#include "lowtide/base/bytes.h"
#include "lowtide/base/limits.h"
#include "lowtide/mip/model.h"

namespace lowtide::mip {

bool is_available();

inline constexpr double kLargest = 4294967296;  // 2^32: the next double is 2^-20 above it
bool is_in_range(const Model& model);

// What an answer's bound proves: the least multiple of `unit` bytes that is not below it, less
// `tolerance` units by which HiGHS may be off; within 0 and `value`, which was found.
Bytes proven_bytes(double bound, double tolerance, Bytes unit, Bytes value);

// What a simplex iteration counts for in a budget of steps.
inline constexpr std::int64_t kStepsPerIteration = 100;

// `start`, if not empty, is a feasible point to begin from. A time-out gives what was found with
// its bound, never kInfeasible. Requires is_available().
Answer solve(const Model& model, const Limits& limits, const std::vector<double>& start = {});

}  // namespace lowtide::mip
