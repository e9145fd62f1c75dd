// How far up a solver can come, whatever it does.
//
// Numbers that callers give are checked once, where they enter: buffers by find_fault
// (model/request_faults.h), graphs by GraphBuilder and, with an alignment, check_sizes
// (planner/options.h). No offset and no hint is above kMaxRoom, and all sizes on top of each other,
// aligned, are within it as well. Every end is at most twice that, so solvers may add and subtract
// a few of them without looking.
#pragma once

#include "lowtide/base/bytes.h"

namespace lowtide {

inline constexpr Bytes kMaxRoom = kMaxBytes / 8;  // 2^60 - 1
inline constexpr const char* kMaxRoomText = "2^60 - 1";

// What one more buffer on top takes at most, onto *sum; false if that is no number any more.
inline bool add_room(Bytes size, Bytes alignment, Bytes* sum) {
  Bytes padded = 0;
  return align_up_fits(size, alignment, &padded) && add_fits(*sum, padded, sum) &&
         add_fits(*sum, alignment, sum);
}

}  // namespace lowtide
