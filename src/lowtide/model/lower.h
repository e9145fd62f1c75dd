// Between a Graph and the two problems solved on it: what is dropped on the way down (names,
// persistent tensors, tensors of no bytes), and the way back up.
//
// A workspace is lowered as a tensor that its node makes and nobody reads: it lives in that one
// step, is counted there, and has its place in the arena like any other.
#pragma once

#include <span>

#include "lowtide/graph/graph.h"
#include "lowtide/graph/plan.h"
#include "lowtide/model/layout_request.h"
#include "lowtide/model/order_problem.h"

namespace lowtide {

// NodeIds are the Graph's own; the problem's TensorIds are renumbered: planned tensors first, then
// workspaces.
struct LoweredOrder {
  OrderProblem problem;
  // Problem tensor -> graph tensor; none(): the workspace of its producer.
  IdVector<TensorId, TensorId> graph_tensor;

  bool is_workspace(TensorId t) const { return graph_tensor[t].is_none(); }
};

// `use_reuse`: carry the graph's may_reuse into the problem.
LoweredOrder lower_order(const Graph& graph, bool use_reuse = false);

// As above with these pairs of the graph's may_reuse alone: what a plan does.
LoweredOrder lower_order(const Graph& graph, std::span<const Reuse> reuses);

// The layout problem of one schedule: a buffer for each tensor, sizes rounded up to `alignment`.
//
// A tensor that takes over the bytes of another (a reuse that takes effect, docs/model.md) is the
// same buffer, which from the step after the takeover on holds only what the smaller one needs: the
// bytes above are free from then on, for whoever fits.
//
// An input that nobody reads lives in no step, and yet its bytes are within the arena: it gets a
// moment of its own before the first step.
struct LoweredLayout {
  LayoutRequest request;
  IdVector<TensorId, BufferId> buffer;  // order-problem tensor -> its buffer
};

// Whether a reuse that takes effect in the schedule is a fact of the layout, or a permission that
// the layout may use or leave: then each tensor is a buffer of its own.
enum class Takeovers { kAll, kPermitted };

LoweredLayout lower_layout(const OrderProblem& problem, const Schedule& schedule, Bytes alignment,
                           Takeovers takeovers = Takeovers::kAll);

// The order problem whose peak in a schedule is the fullest step of the layout lowered from it:
// sizes rounded up.
OrderProblem load_problem(OrderProblem problem, Bytes alignment);

// The least that the layout of `schedule` needs by its fullest step: no layout has a lower arena,
// whichever of the reuses that take effect it uses.
Bytes arena_load(const OrderProblem& problem, const Schedule& schedule, Bytes alignment);

// Offsets of tensors and workspaces, and the reuses that take effect in plan->schedule, from the
// offsets of the layout's buffers.
void lift_layout(const LoweredOrder& order, const LoweredLayout& layout,
                 const IdVector<BufferId, Bytes>& offsets, const Graph& graph, Plan* plan);

}  // namespace lowtide
