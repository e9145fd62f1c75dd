// Lowers a request to shapes and lifts the answer: buffers tied to each other, directly or through
// others, are one rigid body, for each tie fixes the distance of two offsets. A buffer without ties
// is a body of its own.
//
//   ties    a alias b, b adjacent c   ->   offsets: a, b = a, c = a + size(b)
//   parts   of all members, moved to their place; where aliases hold the same bytes, their union
//   align   every member's own: offset + distance = 0 modulo its alignment (Chinese remainders)
#pragma once

#include "lowtide/model/layout_request.h"
#include "lowtide/model/request_faults.h"
#include "lowtide/model/shape_problem.h"

namespace lowtide {

struct Bodies {
  ShapeProblem problem;
  IdVector<BufferId, BufferId> body;   // buffer of the request -> its shape
  IdVector<BufferId, Bytes> distance;  // from the shape's offset to the buffer's; >= 0
};

// O(n log n), and for each body the square of what is alive in it together.
Bodies make_bodies(const LayoutRequest& request);

// Offsets of the request's buffers.
IdVector<BufferId, Bytes> lift_offsets(const Bodies& bodies,
                                       const IdVector<BufferId, Bytes>& offsets);

// Ties that no offsets keep: distances, alignments or fixed offsets that contradict each other, or
// members that are no aliases and would overlap.
std::optional<Fault> tie_fault(const LayoutRequest& request);

}  // namespace lowtide
