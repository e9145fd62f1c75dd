// Contraction: merge nodes that some optimal order runs right after one another. Keeps the optimum.
//
// Lazy. v waits for w, right before which it runs, if
//   * w is v's only minimal successor (all others are reachable from w): nothing needs v before w;
//   * every input of v is kept or has another reader reachable from v: running v frees nothing;
//   * o(v) <= oal(v) + o(w): v's own step is no higher than w's step with v's outputs there.
//   Then delaying v to just before w only lowers what is live in between, and o(vw) = oal(v) +
//   o(w).
// Eager. v follows u at once if
//   * u is v's only maximal predecessor: v is ready as soon as u has run;
//   * oal(v) <= bytes of the inputs that only v reads: running v does not grow the live bytes (a
//   free move);
//   * oal(u) - free(u) + o(v) <= o(u), with free(u) the inputs only u reads: v's step is no higher
//   than u's. Then o(uv) = o(u).
// (oal: bytes of the outputs that survive the node.) The three numeric conditions are all needed:
// brute force finds a wrong optimum within thousands of random graphs without any one of them.
//
// Passes alternate to a fixpoint. Reachability among survivors never changes, so it is computed
// once: bitsets up to kMaxContractedNodes nodes; larger graphs are returned as they are. O(n m /
// 64) time, n^2/8 bytes.
#pragma once

#include "lowtide/base/limits.h"
#include "lowtide/order/core_problem.h"

namespace lowtide {

inline constexpr int kMaxContractedNodes = 20'000;

// The same problem with fewer nodes; `run` of each holds the original nodes in order.
CoreProblem contract(CoreProblem core, Meter* meter);

}  // namespace lowtide
