// The paper's equation 9: when each node runs and where each tensor lies, in one integer program.
//
// The order's part is order/program/step_program.h as it stands, on sizes rounded up to the
// alignment; its peak variable is the arena. Added are, with L_t(s) = t is made or kept at s:
//
//   top       A_t + size_t <= arena
//   apart     A_i + size_i <= A_j + M (1 - B_ij)     B_ij: i is below j
//   one_way   B_ij + B_ji <= 1
//   together  L_i(s) + L_j(s) - 1 <= B_ij + B_ji     who lives together is apart
//
// Pairs by joint/together: those that never meet get no constraint at all, those that always do one
// binary (B_ji = 1 - B_ij) and no row a step, the others two and a row a step. A need not be
// integral: with the order and B fixed the least values are sums of sizes.
//
// Reuses in place are not modelled. The number of rows grows with pairs x steps: a model for graphs
// of up to some twenty nodes (docs/results.md).
#pragma once

#include <vector>

#include "lowtide/joint/together.h"
#include "lowtide/mip/model.h"
#include "lowtide/model/order_problem.h"
#include "lowtide/order/program/program_names.h"
#include "lowtide/order/program/step_program.h"

namespace lowtide {

// An order, and an offset for each tensor of the problem.
struct JointPlan {
  Schedule schedule;
  IdVector<TensorId, Bytes> offsets;
  Bytes arena = 0;
};

struct JointProgram {
  struct Pair {
    TensorId first;
    TensorId second;
    Together together;
    mip::Column first_below;
    mip::Column second_below;  // the same column, complemented, if kAlways
  };
  StepProgram order;  // its model is the whole program
  IdVector<TensorId, mip::Column> offset;
  std::vector<Pair> pairs;

  const mip::Model& model() const { return order.model; }
  Bytes unit() const { return order.unit; }
  mip::Column arena() const { return order.peak; }
};

// `arena_limit`: no higher arena is of interest; in bytes. Requires a problem without reuses.
JointProgram build_joint_program(const OrderProblem& problem, Bytes alignment, Bytes arena_limit,
                                 const ProgramNames& names = {});

// The point that a plan stands for; turned over if symmetry breaking excludes it.
std::vector<double> encode(const JointProgram& program, const OrderProblem& problem,
                           Bytes alignment, const JointPlan& plan);

// Function 1, the order of the generate variables; then each tensor as low as the ones under it in
// the solution allow. Exact integers whatever the solver's tolerances.
JointPlan decode(const JointProgram& program, const OrderProblem& problem, Bytes alignment,
                 const std::vector<double>& values);

}  // namespace lowtide
