// Span bounding: between which steps can a node run, a tensor live? (The paper's ASAP and ALAP and
// its MAKESPAN of a tensor, sharpened for serial orders.)
//
// A schedule runs one node a step, so before v run all its ancestors, after v all its descendants:
//
//     asap(v) = number of ancestors          alap(v) = n - 1 - number of descendants
//
// Both are reached: run the ancestors, then v. The paper's levels (longest paths) are never above
// them; they bound timesteps that several nodes share.
//
// Counted 64 nodes at a time: a word a node says which of the 64 are its ancestors, one pass along
// the dependencies fills it. O(n m / 64) time, O(n) memory. Anytime: what is counted so far, and
// the longest paths, which come first, are bounds whenever the meter stops the count.
#pragma once

#include "lowtide/base/id_vector.h"
#include "lowtide/base/interval.h"
#include "lowtide/base/limits.h"
#include "lowtide/model/order_problem.h"

namespace lowtide {

struct Spans {
  // In every legal order v runs at a step of asap[v] .. alap[v].
  IdVector<NodeId, Step> asap;
  IdVector<NodeId, Step> alap;
  Step num_steps = 0;  // a tensor that is kept lives until there

  // Half-open, in steps, as lifetimes are. In no legal order does t live outside of may_live; in
  // every one it lives throughout must_live (empty if there is no such step).
  Interval may_live(const OrderProblem& problem, TensorId t) const;
  Interval must_live(const OrderProblem& problem, TensorId t) const;
};

Spans spans(const OrderProblem& problem, Meter* meter);

}  // namespace lowtide
