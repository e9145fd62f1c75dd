// Which tensors can be live at a common step, must be, or may be: what decides how much of equation
// 9 has to be written down.
//
//   never   their spans do not meet, or every reader of one is an ancestor of the other's producer
//           (the paper's Function 2, IsInTransitiveFanin; its memo is analysis/reachability)
//   always  the steps in which they must live meet; or the second is made while the first, which is
//           made before it in every order, still has a reader that cannot run earlier
//
// Both rules are sound in every legal order, neither is complete: "depends" is always right.
#pragma once

#include "lowtide/analysis/reachability.h"
#include "lowtide/analysis/spans.h"
#include "lowtide/model/order_problem.h"

namespace lowtide {

enum class Together { kNever, kDepends, kAlways };

class TogetherTest {
 public:
  TogetherTest(const OrderProblem& problem, const Spans& spans);

  Together operator()(TensorId i, TensorId j) const;

 private:
  bool dies_before(TensorId i, TensorId j) const;
  bool lives_when_made(TensorId i, TensorId j) const;
  bool reaches_or_is(NodeId a, NodeId b) const { return a == b || reach_.reaches(a, b); }

  const OrderProblem& problem_;
  const Spans& spans_;
  Reachability reach_;
};

}  // namespace lowtide
