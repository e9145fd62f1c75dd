// THE definition of lifetime, memory profile and peak (the contract is docs/formats.md; the paper's
// counterpart are the generate/preserve variables read off a serial order).
//
// With steps 0..n-1, a tensor lives in [step of its producer, step of its last consumer + 1); one
// without producer from 0; one that is kept to n; one that nobody reads [producer, producer + 1).
// A node's inputs and outputs are therefore live together.
//
// verify/ has a second definition of its own, on purpose; property tests hold the two equal.
#pragma once

#include <vector>

#include "lowtide/base/bytes.h"
#include "lowtide/base/id_vector.h"
#include "lowtide/base/interval.h"
#include "lowtide/model/order_problem.h"

namespace lowtide {

// 0, 1, 2, ...: legal by construction.
Schedule program_order_of(const OrderProblem& problem);

// The step of each node. `schedule` holds every node once.
IdVector<NodeId, Step> steps_of(const OrderProblem& problem, const Schedule& schedule);

// The lifetime of each tensor of the problem, in steps.
IdVector<TensorId, Interval> lifetimes(const OrderProblem& problem, const Schedule& schedule);

// The pairs of problem.reuses that take effect in this schedule: `old` dies at the node.
std::vector<Reuse> effective_reuses(const OrderProblem& problem, const Schedule& schedule);

// Bytes needed at each step: tensors live in it, plus the node's workspace, less bytes reused in
// place. Sizes of tensors are rounded up to `alignment`. Size n; O(nodes + tensors).
std::vector<Bytes> profile(const OrderProblem& problem, const Schedule& schedule,
                           Bytes alignment = 1);

// The maximum of the profile; 0 for no nodes.
Bytes peak(const OrderProblem& problem, const Schedule& schedule, Bytes alignment = 1);

}  // namespace lowtide
