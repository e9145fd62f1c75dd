// The second half of MODeL as a problem of its own (dynamic storage allocation): buffers with fixed
// lifetimes, to be placed at offsets in an arena of least height so that no two whose lifetimes
// intersect share a byte. Plain data; layout/ solves it and never sees a Graph.
#pragma once

#include <optional>

#include "lowtide/base/bytes.h"
#include "lowtide/base/id_vector.h"
#include "lowtide/base/interval.h"

namespace lowtide {

struct Buffer {
  Interval lifetime;                       // half-open, in steps; empty: takes no room
  Bytes size = 0;                          // >= 0; 0: takes no room
  Bytes alignment = 1;                     // the offset is a multiple of it; >= 1
  std::optional<Bytes> fixed_offset = {};  // given, not to be chosen

  bool takes_room() const { return size > 0 && !lifetime.empty(); }
};

struct LayoutProblem {
  IdVector<BufferId, Buffer> buffers;
  // If given, any layout of at most this height is an answer and the search may stop there; if the
  // search proves that there is none, the status is kInfeasible.
  std::optional<Bytes> capacity = {};
};

// Offsets in bytes, and the highest end of any buffer.
struct Layout {
  IdVector<BufferId, Bytes> offsets;
  Bytes height = 0;
};

}  // namespace lowtide
