// Between a Graph and the two problems solved on it: what is dropped on the way down (names,
// persistent tensors, tensors of no bytes), and the way back up.
#pragma once

#include "lowtide/graph/graph.h"
#include "lowtide/graph/plan.h"
#include "lowtide/model/layout_problem.h"
#include "lowtide/model/order_problem.h"

namespace lowtide {

// NodeIds are the Graph's own; the problem's TensorIds are renumbered.
struct LoweredOrder {
  OrderProblem problem;
  IdVector<TensorId, TensorId> graph_tensor;  // problem tensor -> graph tensor
};

// `use_reuse`: carry the graph's may_reuse into the problem.
LoweredOrder lower_order(const Graph& graph, bool use_reuse = false);

// The layout problem of one schedule. Tensors that share bytes (reuses that take effect, chained)
// become one buffer. Sizes are rounded up to `alignment`.
struct LoweredLayout {
  LayoutProblem problem;
  IdVector<TensorId, BufferId> buffer;  // order-problem tensor -> its buffer
};

// The order problem whose peak in a schedule is the load of the layout lowered from it: sizes
// rounded up, no workspaces.
OrderProblem load_problem(OrderProblem problem, Bytes alignment);

LoweredLayout lower_layout(const OrderProblem& problem, const Schedule& schedule, Bytes alignment);

// Offsets per tensor of the graph, from offsets per buffer.
IdVector<TensorId, Bytes> lift_offsets(const Graph& graph, const LoweredOrder& order,
                                       const LoweredLayout& layout,
                                       const IdVector<BufferId, Bytes>& offsets);

// The reuses that take effect in this schedule, as tensors of the graph.
std::vector<Reuse> lift_reuses(const LoweredOrder& order, const Schedule& schedule);

}  // namespace lowtide
