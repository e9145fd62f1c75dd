// MODeL's integer program for the order: when is each tensor made, until when is it kept? (Its
// equations one by one: docs/model.md.)
//
// Binaries generate(v, s): node v runs at timestep s; variables preserve(t, s): tensor t, made
// before, is kept in memory at s. A node's outputs are made together, so one generate variable
// serves them all. Both exist only inside their spans (analysis/spans.h, the paper's ASAP, ALAP and
// MAKESPAN). The rows, by the names they carry in the text that `lowtide export-lp` writes:
//
//   once      sum over s of generate(v, s) = 1
//   single    sum over v of generate(v, s) = 1                    serial only: one node a timestep
//   either    generate(v, s) + preserve(t, s) <= 1                t an output of v
//   carry     preserve(t, s) <= generate(v, s-1) + preserve(t, s-1)
//   needs     generate(w, s) <= preserve(t, s)                    t an input of w
//   after     w has run by s only if u had by s-1                 u before w, without a tensor
//   peak      bytes of all that is made or kept at s, and workspaces <= peak
//
// and preserve(t, s) = 1 is a bound, no row, where t lives in every order. The objective is `peak`,
// in units of the sizes' common divisor.
//
// Only generate is integral: with generate given, the least preserve that `needs` and `carry` allow
// is 1 from the making to the last use and 0 elsewhere.
//
// In-place reuse adds reuse(v, s): the bytes of v's output `fresh` are not counted at s if v runs
// at s and all other readers of `old` ran before.
//
// Timesteps. Serial: as many as nodes, one node each, so that the optimum is that of the serial
// order. Shared: the paper's code takes 1.01 times the longest path and lets nodes share a
// timestep; smaller, but all that shares a timestep is counted together, so that its optimum can
// lie above the serial one, and it is no lower bound.
#pragma once

#include <vector>

#include "lowtide/analysis/spans.h"
#include "lowtide/mip/model.h"
#include "lowtide/model/order_problem.h"
#include "lowtide/order/program/program_names.h"

namespace lowtide {

struct StepProgram {
  mip::Model model;
  Bytes unit = 1;  // what a size, and the objective, is measured in
  mip::Column peak = 0;
  Spans spans;
  // By node and tensor: the column of the first timestep of the span; the others follow.
  IdVector<NodeId, mip::Column> first_generate;
  IdVector<TensorId, Interval> kept_in;  // timesteps that have a preserve variable
  IdVector<TensorId, mip::Column> first_preserve;
  struct ReuseColumns {
    NodeId node;
    Reuse reuse;
    mip::Column first;  // at the first timestep of the node's span
  };
  std::vector<ReuseColumns> reuses;

  mip::Column generate(NodeId v, Step s) const {
    return first_generate[v] + static_cast<mip::Column>(s - spans.asap[v]);
  }
  mip::Column preserve(TensorId t, Step s) const {
    return first_preserve[t] + static_cast<mip::Column>(s - kept_in[t].lower);
  }
  bool may_run(NodeId v, Step s) const { return spans.asap[v] <= s && s <= spans.alap[v]; }
  bool may_keep(TensorId t, Step s) const { return kept_in[t].lower <= s && s < kept_in[t].upper; }
};

enum class Timesteps { kSerial, kShared };

// How many variables the program has, without building it.
std::size_t step_program_size(const OrderProblem& problem, Timesteps timesteps);

StepProgram build_step_program(const OrderProblem& problem, Timesteps timesteps,
                               const ProgramNames& names = {});

// The paper's Function 1: the nodes by the timestep at which they are generated; nodes of one
// timestep by number.
Schedule decode(const StepProgram& program, const std::vector<double>& values);

// The other way, serial only: a point that satisfies every row, with the schedule's peak.
std::vector<double> encode(const StepProgram& program, const OrderProblem& problem,
                           const Schedule& schedule);

}  // namespace lowtide
