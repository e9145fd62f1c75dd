// Two buffers whose fixed offsets already collide: then no layout exists.
#pragma once

#include <optional>
#include <utility>

#include "lowtide/model/layout_request.h"

namespace lowtide {

// O(n log n), like the next; O(n) where no offset is fixed.
std::optional<std::pair<BufferId, BufferId>> fixed_conflict(const LayoutProblem& problem);

std::optional<std::pair<BufferId, BufferId>> fixed_conflict(const LayoutRequest& request);

}  // namespace lowtide
