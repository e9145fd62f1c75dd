// A plan: in which order the nodes run and where each planned tensor lives. A value; it knows its
// graph only by name. verify/verifier.h says whether it is right.
#pragma once

#include <string>
#include <vector>

#include "lowtide/base/bytes.h"
#include "lowtide/base/id_vector.h"
#include "lowtide/base/solution.h"
#include "lowtide/graph/graph.h"

namespace lowtide {

// Every node once, in execution order.
using Schedule = std::vector<NodeId>;

inline constexpr Bytes kNoOffset = -1;

struct Plan {
  std::string graph_name;
  Schedule schedule;
  // Per tensor of the graph: its offset in the arena, in bytes; kNoOffset for tensors that are not
  // placed (persistent, or of no bytes).
  IdVector<TensorId, Bytes> offsets;
  // Per node: the offset of its workspace; kNoOffset for nodes without one.
  IdVector<NodeId, Bytes> workspace_offsets;
  // Pairs that the plan makes share bytes although their lifetimes touch at the node that reads
  // `old` and writes `fresh`; a subset of the graph's may_reuse. Empty unless asked for.
  std::vector<Reuse> reuses;
  Bytes alignment = 1;

  // The claims, checked by the verifier. For the bounds: no legal order has a lower peak; no layout
  // of this schedule's lifetimes has a lower arena.
  Bytes peak_bytes = 0;
  Bytes peak_lower_bound_bytes = 0;
  Bytes arena_bytes = 0;
  Bytes arena_lower_bound_bytes = 0;
  Status order_status = Status::kFeasible;
  Status layout_status = Status::kFeasible;
  // Bounds (and statuses, which follow from them) that were read from a file: claims of whoever
  // wrote it. A claim is no proof; report/claims.h says which of them this run can prove.
  bool peak_bound_is_claim = false;
  bool arena_bound_is_claim = false;
};

}  // namespace lowtide
