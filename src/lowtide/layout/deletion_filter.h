// Fewer buffers that are still proved not to fit (a deletion filter; Chinneck and Dravnieks 1991,
// for linear programs): halves, quarters, ... are left out if the rest is still impossible, at last
// single ones. What is impossible for a set is so for every larger one, so one pass over single
// buffers is enough: what then can't be left out never can, and the set is irreducible.
//
// A question that is not decided keeps its buffers.
#pragma once

#include <functional>
#include <vector>

#include "lowtide/base/limits.h"
#include "lowtide/base/solution.h"
#include "lowtide/model/layout_problem.h"

namespace lowtide {

struct Filtered {
  std::vector<BufferId> buffers;  // ascending
  bool irreducible = false;       // every one of them was shown to be needed
};

// `kept` don't fit together; neighbours in it are left out together. Until `limits` expire.
Filtered filter_by_deletion(std::vector<BufferId> kept,
                            const std::function<Status(std::vector<BufferId>)>& status_of,
                            const Limits& limits);

}  // namespace lowtide
