// Contraction: merge nodes that some optimal order runs right after one another. Keeps the optimum.
//
// o(v): what v needs beside what is live before it; oal(v): bytes of its outputs that survive it.
//
// Lazy. v waits for w, right before which it runs, if
//   * w is v's only minimal successor (all others are reachable from w): nothing needs v before w;
//   * every input of v is kept or has another reader reachable from v: running v frees nothing;
//   * o(v) <= oal(v) + o(w): v's own step is no higher than w's step with v's outputs there.
//   Then delaying v to just before w only lowers what is live in between; o(vw) = oal(v) + o(w).
// Eager. v follows u at once if
//   * u is v's only maximal predecessor: v is ready as soon as u has run;
//   * oal(v) <= bytes of the inputs that only v reads: running v does not grow the live bytes (a
//     free move);
//   * oal(u) - only(v) + o(v) <= o(u) for the inputs only u reads, only(v) of them: v's step is no
//     higher than u's. Then o(uv) = o(u).
// The three numeric conditions are all needed: brute force finds a wrong optimum within thousands
// of random graphs without any one of them.
//
// In-place reuse. A pair whose `old` surely dies at its node, or surely not, is settled first: it
// becomes part of o(v), or nothing. For the others: v reuses if the other readers of `old` have
// run, so a node that runs earlier only helps and one that is delayed may harm, but only if it is
// such a reader. Nodes of open pairs (the reusing one and the readers of its `old`) are left alone.
//
// Passes (lazy backwards, eager forwards) alternate to a fixpoint. Reachability among survivors
// never changes, nor does the order of their numbers, so it is computed once
// (analysis/reachability.h; what a large graph does not know is not merged). Merged nodes are
// linked lists under a union-find: a merge moves O(1) memory, a pass is linear, about 100 bytes a
// node.
#pragma once

#include "lowtide/base/limits.h"
#include "lowtide/order/search/reduced.h"
#include "lowtide/order/search/techniques.h"

namespace lowtide {

// Nothing if the meter stops it; the problem itself if it is not to be used.
std::optional<Reduced> contract(const OrderProblem& problem, Meter* meter,
                                const Techniques& use = {});

}  // namespace lowtide
