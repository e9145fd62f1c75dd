// Precedences that every order within a budget obeys.
//
// If u runs before v, the set executed when v runs is a down-set that holds u. So where the
// cheapest such set (v's cut with u forced to the source; analysis/node_cut.h) needs more than B,
// every order within B runs v before u. The same with u forced to the sink. Each edge is implied on
// its own by the budget, so they can be added together, and stopping early is sound. A node whose
// own bound exceeds B, or a cycle of implied edges, proves that no order fits.
//
// Few flows. A down-set D with cost(v, D) <= B shows at once that everything in D may precede v and
// everything outside may follow it. The search for such sets starts from the prefix before v of a
// given order, or the minimiser of v's cut if that prefix is too dear, and grows it by each other
// node with its ancestors, shrinks it by each node with its descendants, as long as it fits; where
// many fail in a row it gives up. Pairs without a witness need a flow, from the residual network of
// v's own cut, and stop as soon as they exceed B. Those that do not are new witnesses.
#pragma once

#include <optional>

#include "lowtide/base/limits.h"
#include "lowtide/order/search/reduced.h"
#include "lowtide/order/search/techniques.h"

namespace lowtide {

struct Implied {
  bool infeasible = false;  // proved: no order fits
  std::vector<Precedence> precedences;
};

// One round. `guide`: any legal order; the better, the fewer flows. Only `max_nodes` nodes are
// asked what they imply (and those level with them): the ones with the largest bounds, which have
// the least slack and imply most.
Implied implied_precedences(const OrderProblem& problem, Bytes budget, const Schedule& guide,
                            std::size_t max_nodes, Meter* meter);

// Rounds of that, each followed by contraction, until nothing new is implied or the meter stops it.
// Nothing: no order fits. Else a problem whose orders within the budget are orders of `problem`
// within the budget, and which has one if `problem` has one.
std::optional<Reduced> tighten(const OrderProblem& problem, Bytes budget, const Schedule& guide,
                               std::size_t max_nodes, Meter* meter, const Techniques& use = {});

}  // namespace lowtide
