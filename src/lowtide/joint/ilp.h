// Equation 9 solved: build, solve, decode (joint/program.h). What it is for is the question whether
// the split is good enough (planner/repack.h).
#pragma once

#include "lowtide/base/limits.h"
#include "lowtide/base/solution.h"
#include "lowtide/joint/program.h"

namespace lowtide {

// The plan of least arena over all orders and layouts. `start`: any legal plan. `bound`: no arena
// is below (the least peak of sizes rounded up will do).
Solution<JointPlan> solve_joint_ilp(const OrderProblem& problem, Bytes alignment, JointPlan start,
                                    Bytes bound, const Limits& limits);

}  // namespace lowtide
