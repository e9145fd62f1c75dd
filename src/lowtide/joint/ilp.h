// The paper's equation 9: when each node runs and where each tensor lies, in one integer program.
//
//   minimise H over          sum_t X_vt = 1                      every node runs once, ...
//                            sum_v X_vt = 1                      ... one a step
//                            X_vt <= sum_{s<t} X_us              after its predecessors
//                            P_et <= P_e(t-1) + X_pe(t-1)        preserved only if it was there
//                            X_vt <= P_et                        and there whenever it is read
//   with L_et = X_pe,t + P_et:
//                            sum_e s_e L_et <= H                 the load of a step
//                            A_e + s_e <= H
//                            A_i + s_i <= A_j + M (1 - B_ij)     B_ij: i is below j
//                            L_it + L_jt - 1 <= B_ij + B_ji      who lives together is apart
//
// X is the paper's *generate* (one variable for all outputs of a node, which are made together), P
// its *preserve*. Variables exist only where they can be 1: X within asap .. alap, P where the
// tensor may live (analysis/spans). Pairs by joint/together: those that never meet get no
// constraint at all, those that always do one binary (B_ji = 1 - B_ij) and no row a step, the
// others two and a row a step.
//
// P, A and H need not be integral: with X and B fixed their least values are.
//
// Sizes are rounded up to the alignment; workspaces take no part in the arena; reuses in place are
// not modelled. The number of rows grows with pairs x steps: a model for graphs of up to some
// twenty nodes. What it is for is the question whether the split is good enough (planner/repack.h).
#pragma once

#include <vector>

#include "lowtide/base/limits.h"
#include "lowtide/base/solution.h"
#include "lowtide/joint/together.h"
#include "lowtide/mip/model.h"
#include "lowtide/model/order_problem.h"
#include "lowtide/order/program_names.h"

namespace lowtide {

// An order, and an offset for each tensor of the problem.
struct JointPlan {
  Schedule schedule;
  IdVector<TensorId, Bytes> offsets;
  Bytes arena = 0;
};

struct JointIlp {
  struct Pair {
    TensorId first;
    TensorId second;
    Together together;
    mip::Column first_below;
    mip::Column second_below;  // the same column, complemented, if kAlways
  };
  mip::Model model;
  Bytes unit = 1;  // of all sizes and offsets in the model
  mip::Column arena = 0;
  IdVector<NodeId, mip::Column> first_generate;  // X_v at asap(v); the next steps follow
  IdVector<NodeId, Step> asap;
  IdVector<NodeId, Step> alap;
  IdVector<TensorId, mip::Column> first_preserve;  // P_e where it may live, likewise
  IdVector<TensorId, Interval> preserved;
  IdVector<TensorId, mip::Column> offset;
  std::vector<Pair> pairs;
};

// `arena_limit`: no higher arena is of interest; in bytes.
JointIlp build_joint_ilp(const OrderProblem& problem, Bytes alignment, Bytes arena_limit,
                         const ProgramNames& names = {});

// The point that a plan stands for; turned over if symmetry breaking excludes it.
std::vector<double> joint_ilp_point(const JointIlp& ilp, const OrderProblem& problem,
                                    Bytes alignment, const JointPlan& plan);

// Function 1, the order of the generate variables; then each tensor as low as the ones under it in
// the solution allow. Exact integers whatever the solver's tolerances.
JointPlan decode_joint_ilp(const JointIlp& ilp, const OrderProblem& problem, Bytes alignment,
                           const std::vector<double>& values);

// The plan of least arena over all orders and layouts. `start`: any legal plan. `bound`: no arena
// is below (the least peak of sizes rounded up and without workspaces will do).
Solution<JointPlan> solve_joint_ilp(const OrderProblem& problem, Bytes alignment, JointPlan start,
                                    Bytes bound, const Limits& limits);

}  // namespace lowtide
