// MODeL's own integer program for the order, solved: build, solve, decode
// (order/program/step_program.h).
//
// ilp_steps    serial timesteps, on the contracted problem, from the best order known and with the
//              bound 5(b) as a bound on its peak. Its optimum is the optimum.
// ilp_shared   the paper's shortened horizon, on the problem as it is. An order, no bound: what it
//              minimises counts all that shares a timestep together.
//
// order/program/ilp.h is the one to use; these are what it is measured against.
#pragma once

#include "lowtide/base/limits.h"
#include "lowtide/base/solution.h"
#include "lowtide/model/order_problem.h"

namespace lowtide {

// Both improve `start`, and return it as it is where lowtide was built without HiGHS or the program
// would be too large.
Solution<Schedule> ilp_steps_order(const OrderProblem& problem, Solution<Schedule> start,
                                   const Limits& limits);
Solution<Schedule> ilp_shared_order(const OrderProblem& problem, Solution<Schedule> start,
                                    const Limits& limits);

}  // namespace lowtide
