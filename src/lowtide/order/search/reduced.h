// An order problem made from another one by merging nodes or cutting a piece out, and the way back.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "lowtide/base/csr.h"
#include "lowtide/graph/plan.h"
#include "lowtide/model/order_problem.h"

namespace lowtide {

struct Reduced {
  OrderProblem problem;
  // For each of its nodes the nodes of the problem it was made from that run in its place, in
  // order.
  Csr<NodeId, NodeId> runs;

  Schedule expand(const Schedule& schedule) const;
  // The other way: a legal order of `problem` near to `schedule`, an order of what it was made from
  // (or of more nodes than that).
  Schedule reduce(const Schedule& schedule) const;
};

// `inner` was made from outer.problem: the same, made from what `outer` was made from.
Reduced compose(const Reduced& outer, Reduced inner);

// The problem itself.
Reduced unreduced(const OrderProblem& problem);

// What is to be done between two down-sets: the nodes that `part` calls kPiece, with what is live
// before and after them. Put between the nodes before and those after, its schedules need what they
// need in it. Nodes keep their order. O(problem).
enum class Part : std::uint8_t { kBefore, kPiece, kAfter };
Reduced piece_between(const OrderProblem& problem, const IdVector<NodeId, Part>& part);

// The same problem with more precedences, or nothing if these make a cycle. Nodes are renumbered to
// an order that is legal; `runs` holds the old ones.
struct Precedence {
  NodeId before;
  NodeId after;
  friend auto operator<=>(const Precedence&, const Precedence&) = default;
};
std::optional<Reduced> with_precedences(const OrderProblem& problem,
                                        const std::vector<Precedence>& precedences);

}  // namespace lowtide
