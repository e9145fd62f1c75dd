// Stretches of the best order solved anew: the incumbent's improver where the whole is too wide.
//
// The peak can only fall if the first step that reaches it falls. So a window of consecutive steps
// around that step is cut out (order/search/reduced.h: what is live before and after it stays),
// solved for itself by the exact search within a few steps, and put back if it needs less. Windows
// grow until one helps, and lie earlier, around and later: what has to run before the step may lie
// far back. A step that no window lowers ends it.
//
// Guarantee: an order that is legal and needs less than the one that came in; or none. Known as
// large neighbourhood search by time windows (Palpant, Artigues, Michelon 2004, for projects).
// A window costs a pass over the problem and its share of the steps.
#pragma once

#include <optional>

#include "lowtide/base/limits.h"
#include "lowtide/model/order_problem.h"
#include "lowtide/order/search/techniques.h"

namespace lowtide {

// `order`: any legal one. `effort`: steps for each window.
std::optional<Schedule> improve_in_windows(const OrderProblem& problem, Schedule order,
                                           std::int64_t effort, Meter* meter,
                                           const Techniques& use = {});

}  // namespace lowtide
