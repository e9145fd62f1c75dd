// Order and addresses at once: what is minimised is the arena, not the peak (the paper's equation
// 9).
//
//   1  no arena is below the least peak of sizes rounded up: the exact order search gives the
//   bound,
//      and its order is a start beside the one that came in
//   2  re-ordering under the arena as budget (planner/repack): every order that packs better has a
//      load below the arena, so others need not be looked at
//   3  equation 9 as an integer program (joint/ilp) where the graph is small enough for it
//
// Most plans are proven by 1 alone: an arena at the bound is the joint optimum.
#pragma once

#include "lowtide/base/limits.h"
#include "lowtide/planner/repack.h"

namespace lowtide {

struct Joined {
  Packing packing;
  Bytes bound;  // no order and layout has a lower arena
};

// `problem` without reuses; no order of it has a peak below `peak_bound`.
Joined join(const OrderProblem& problem, Packing start, Bytes peak_bound, Bytes alignment,
            const Limits& limits);

}  // namespace lowtide
