// Layouts of requests with permissions (MayReuse): which of them are used?
//
// A permission that is taken is an alias, one that is refused is nothing; what is left is a request
// that layout/shapes solves. Branch and bound over the permissions of buffers that ever hold
// something together, in the order of the bytes they could save, taken before refused.
//
//   taken    only together with what is taken already: whoever shares a byte must be permitted to
//            share it, so of a chain a - b - c with a and c alive together one link stays out
//   bound    per step: buffers that are linked by aliases, or by permissions that are not refused,
//            hold at least what the largest of them holds; those that are not linked share nothing
//
// Two answers come before the search: as many permissions taken as can be, and none. Where the
// first meets the bound (taking one never raises the load, so it often does) there is no search.
//
// Exact where the requests that are left can be decided within their steps: all assignments are
// covered, and one that is not decided leaves its bound. Permissions can make 2^k requests.
#pragma once

#include "lowtide/base/limits.h"
#include "lowtide/base/solution.h"
#include "lowtide/layout/solvers.h"
#include "lowtide/model/layout_request.h"

namespace lowtide {

// As solve_request, which calls it where the request has permissions.
Solution<Layout> solve_sharing(const LayoutRequest& request, const LayoutSolver& solver,
                               const Limits& limits);

}  // namespace lowtide
