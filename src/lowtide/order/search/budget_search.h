// Is there an order within a budget of B bytes? Depth-first over down-sets, from either end.
//
// From a down-set S, v may run if S + v is a down-set and live(S) + o(v) <= B. From the other end,
// v may be un-run from R if live(R - v) + o(v) <= B: the mirror image, with live the same function.
//
//   Free move      a step that does not grow live(.) loses nothing: take it at once. (For any
//                  completion X of S: live(S + X + v) - live(S + X) <= live(S + v) - live(S) <= 0
//                  by submodularity, so whatever runs between needs no more with v done.)
//   Valley commit  at S' with live(S') <= live(S_j) for an open frame S_j before it: let T*
//   minimise
//                  live over the down-sets between the two (one minimum cut). T* is reachable from
//                  S_j (the path, intersected with T*), and every completion of S_j has one through
//                  T*. So drop all alternatives since S_j and go on from T*. Committing to S'
//                  itself instead is WRONG: some completion may need a valley deeper than S'.
//   Dead table     a down-set whose completions were exhausted is never entered again.
//   Branch         on the step that grows live(.) least.
//
// Open in-place reuses make o(v) depend on the state: less if other readers of a tensor have run. A
// larger S only helps, so free moves and "every completion of S_j has one through T*" hold forwards
// as they stand. "T* is reachable" does not: on the way to T* nodes run from smaller sets. So the
// replay looks at each step's cost and, if one exceeds B, the commit is called off. Backwards the
// rules fail (un-running a reader can make another node dearer): forwards only.
//
// A commit with no open frame before it is permanent: it shrinks the problem for good, whichever
// end the next search starts from. Exhausted = proof that no order fits in B.
#pragma once

#include <cstdint>

#include "lowtide/base/limits.h"
#include "lowtide/order/search/techniques.h"
#include "lowtide/order/search/walk.h"

namespace lowtide {

enum class Answer { kYes, kNo, kUnknown };

struct SearchResult {
  Answer answer = Answer::kUnknown;
  // kYes: all nodes in execution order. kUnknown: the nodes of the permanent commit, in execution
  // order (a prefix for kForward, a suffix for kBackward). kNo: empty.
  Schedule nodes;
};

// `problem` without open reuses if backward. `table_bytes`: for the dead table.
SearchResult search_budget(const OrderProblem& problem, Bytes budget, Direction direction,
                           std::int64_t table_bytes, Meter* meter, const Techniques& use = {});

}  // namespace lowtide
