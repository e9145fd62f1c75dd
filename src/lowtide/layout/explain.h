// Why a capacity is too small, in as few buffers as found.
//
//   one step   the bytes held in it exceed the capacity. The fewest buffers that do are its largest
//              ones; any fewer of these fit. (Tied buffers count together, and are all named.)
//   a search   otherwise what layout/deletion_filter leaves of the buffers, by time
//
// A question that a search does not decide within its steps keeps its buffers; the set is then
// still proved not to fit, but not that it is irreducible.
#pragma once

#include <optional>
#include <vector>

#include "lowtide/base/limits.h"
#include "lowtide/model/layout_request.h"

namespace lowtide {

struct Conflict {
  std::vector<BufferId> buffers;  // that can't be placed together, ascending
  std::optional<Step> step;       // they are all live then, and what they hold is too much
  Bytes bytes = 0;                // what they hold in that step
  bool irreducible = false;       // any fewer of them fit
};

// `request` must be proved to have no layout. Within `limits`; steps are for each question.
Conflict explain_conflict(const LayoutRequest& request, const Limits& limits);

}  // namespace lowtide
