// The order as an integer program without timesteps: which of two nodes runs first?
//
// The paper's generate and preserve variables (order/program/step_program.h) say at which timestep
// a node runs. The peak does not ask for that: what is live when v runs depends on who runs before
// v only.
//
//   before(u, v)  binary for each two nodes that the dependencies leave unordered; a constant else
//   live(t, v)    where t has several readers, none of them surely the last
//   reuse(v)      the in-place reuse of a pair at v takes effect
//
//   carry     before(w, v) <= before(u, v)                        u before w by a dependency
//   cycle     before(u, v) + before(v, w) + before(w, u) <= 2     any three, both ways round
//   live      live(t, v) >= before(producer, v) - before(c, v)    c a reader of t
//   reuse     reuse(v) <= before(c, v)                            c another reader of what dies
//   peak      own(v) + bytes of what is live at v <= peak         a row for each node
//
// A tensor with one last reader c costs no variable: before(producer, v) - before(c, v) is 1 where
// it is live and 0 elsewhere, since the producer runs before c.
//
// Against timesteps: half the binaries (a span has a timestep for every unordered node, so each
// pair counts twice), no row for each tensor and timestep, no symmetric shifts in time. Above all
// the relaxation: the row of v with `carry` is the linear program of the minimum cut whose value is
// v's bound 5(b) (analysis/lower_bounds.h), so the root's value is never below the best of these,
// while a relaxed generate spreads a node over its whole span.
//
// The rows `cycle` are cubic in number and few matter: most are added only when a point violates
// them. Without them the program is a relaxation, and its bounds hold.
#pragma once

#include <optional>

#include "lowtide/base/limits.h"
#include "lowtide/mip/model.h"
#include "lowtide/model/order_problem.h"

namespace lowtide {

struct PairProgram {
  mip::Model model;
  Bytes unit = 1;  // what a size, and the objective, is measured in
  mip::Column peak = 0;

  // before(u, v) = constant + sign * column.
  struct Literal {
    double constant = 0;
    double sign = 0;  // 0: no column
    mip::Column column = 0;
  };
  Literal before(NodeId u, NodeId v) const {
    if (u < v) return literal(pairs[index(u, v)], 1);
    return literal(pairs[index(v, u)], -1);
  }

  std::size_t num_nodes = 0;
  static constexpr mip::Column kFirst = -1;  // surely the node of the smaller number
  std::vector<mip::Column> pairs;            // for u < v: a column, or kFirst
  struct LiveColumn {
    TensorId tensor;
    NodeId node;
    mip::Column column;
  };
  std::vector<LiveColumn> lives;
  struct ReuseColumn {
    NodeId node;
    Reuse reuse;
    mip::Column column;
  };
  std::vector<ReuseColumn> reuses;

 private:
  std::size_t index(NodeId u, NodeId v) const {
    return v.index() * (v.index() - 1) / 2 + u.index();
  }
  static Literal literal(mip::Column column, double sign) {
    const double constant = sign > 0 ? 0 : 1;
    if (column == kFirst) return {1 - constant, 0, 0};
    return {constant, sign, column};
  }
};

// Without rows `cycle`. O(n^2) memory; nothing if there would be more than `max_pairs` binaries.
std::optional<PairProgram> build_pair_program(const OrderProblem& problem, std::size_t max_pairs);

// Adds the rows `cycle` that the point violates by more than `tolerance`, at most `max_rows` of
// them; an empty point violates all. Returns how many.
std::size_t add_cycles(PairProgram* program, const std::vector<double>& values,
                       std::size_t max_rows, double tolerance = 0.5);

// The nodes by how many run before them; the order that a point without violated cycles stands for.
Schedule decode(const PairProgram& program, const std::vector<double>& values);

// The point of a legal order, with its peak.
std::vector<double> encode(const PairProgram& program, const OrderProblem& problem,
                           const Schedule& schedule);

}  // namespace lowtide
