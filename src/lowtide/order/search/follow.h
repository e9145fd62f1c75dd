// List scheduling from either end along a guide, within a budget: the incumbent's improver.
//
// Forwards or backwards, the next node is one that does not grow the live bytes, else the first of
// a ranking: the guide, or the guide read the other way; nodes that would exceed the budget wait
// until they fit. Started from the end of a decent order, it undoes what a forward rule cannot see:
// that an early choice has to be carried all the way. (Project scheduling knows the idea as
// forward-backward improvement: Li and Willis 1992.) No guarantee: an order, often a better one.
// O(n log n) but for the nodes that wait.
//
// What it is worth: unrolled RNNs, whose greedy orders stay 7 % above the optimum at any budget,
// are optimal after one pass from the end; the LSTM of the corpus goes from 1.51 to 1.07 at once.
#pragma once

#include <optional>

#include "lowtide/base/limits.h"
#include "lowtide/order/search/walk.h"

namespace lowtide {

struct FollowGoal {
  Bytes budget;  // nodes that would need more wait; if nothing fits, what needs least runs
  Bytes below =
      kMaxBytes;  // an order that needs as much is of no use: given up at its first such step
};

// `ranking`: every node once, in any order. `problem` without open reuses if backward. Nothing if
// it is of no use or the meter stops it.
std::optional<Schedule> follow(const OrderProblem& problem, const Schedule& ranking,
                               const FollowGoal& goal, Direction direction, Meter* meter);

}  // namespace lowtide
