// Is there an order within a budget of B bytes? Depth-first over down-sets, from either end.
//
// From a down-set S, v may run if S + v is a down-set and live(S) + o(v) <= B. From the other end,
// v may be un-run from R if live(R - v) + o(v) <= B: the mirror image, with live the same function.
//
//   Free move      a step that does not grow live(.) loses nothing: take it at once. (For any
//   completion
//                  P of S: live(S + X + v) - live(S + X) <= live(S + v) - live(S) <= 0 by
//                  submodularity.)
//   Valley commit  at S' with live(S') <= live(S_j) for an open frame S_j before it: let T*
//   minimise live
//                  over the down-sets between the two (one minimum cut). T* is reachable from S_j
//                  (the path, intersected with T*), and every completion of S_j has one through T*.
//                  So drop all alternatives since S_j and go on from T*. Committing to S' itself
//                  instead is WRONG: some completion may need a valley deeper than S'.
//   Dead table     a down-set whose completions were exhausted is never entered again (128-bit
//   hashes). A
//                  frame dropped by a commit was not exhausted: its entry is taken out again.
//   Branch         on the step that grows live(.) least.
//
// A commit with no open frame before it is permanent: it shrinks the problem for good, whichever
// end the next search starts from. Exhausted = proof that no order fits in B.
#pragma once

#include <vector>

#include "lowtide/base/limits.h"
#include "lowtide/order/core_problem.h"

namespace lowtide {

enum class Answer { kYes, kNo, kUnknown };
enum class Direction { kForward, kBackward };

struct SearchResult {
  Answer answer = Answer::kUnknown;
  // kYes: all nodes in execution order. kUnknown: the nodes of the permanent commit, in execution
  // order (a prefix for kForward, a suffix for kBackward). kNo: empty.
  std::vector<int> nodes;
};

SearchResult search_budget(const CoreProblem& core, Bytes budget, Direction direction,
                           Meter* meter);

}  // namespace lowtide
