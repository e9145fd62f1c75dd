// Why no order can need less: the bound, told in tensors.
//
// When node v runs, in whatever legal order, all its ancestors have run and none of its
// descendants. So a tensor that an ancestor made and that v or a descendant reads is in memory
// then, and v's outputs are. These tensors are *forced* at v (bound 5a of analysis/lower_bounds.h).
// The reason names the v where they weigh most. If they weigh as much as the plan's bound, the
// explanation is complete; else the rest is owed to a minimum cut or a search, and is named so. Of
// a plan from a file, what no cut proves is only claimed.
#pragma once

#include <cstdint>
#include <vector>

#include "lowtide/base/limits.h"
#include "lowtide/graph/graph.h"
#include "lowtide/graph/plan.h"

namespace lowtide {

enum class BoundKind {
  kForced,  // the forced tensors at one node weigh as much as the bound
  kCut,     // a minimum cut at one node: of the free nodes' tensors, some must be live as well
  kSearch,  // proved by a search over orders
  kClaim,   // claimed by the plan's file, and not proved here
};

const char* to_string(BoundKind kind);

struct BoundReason {
  NodeId node;                   // none() for a graph without nodes
  Bytes forced_bytes = 0;        // of the forced tensors and the node's workspace
  std::vector<TensorId> forced;  // largest first
  BoundKind kind = BoundKind::kForced;
};

// Enough for the explanation to be exact on graphs of some 10^4 nodes; a second or so.
inline constexpr std::int64_t kExplanationSteps = 100'000'000;

// `plan` gives the bound to explain. Within `limits` (steps: nodes and edges walked) the heaviest
// node is exact; beyond, it is the heaviest one found.
BoundReason explain_bound(const Graph& graph, const Plan& plan, const Limits& limits);

}  // namespace lowtide
