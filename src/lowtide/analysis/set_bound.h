// A lower bound on the peak from a set of nodes: one of them is the last to run, or the first.
//
// Theorem. Let S be any set of nodes. In every order some v of S runs last of S, so the executed
// set D holds S - v and all its ancestors, and neither v nor any descendant of v. Hence
//
//     peak >= min over v in S of  f(S, v) = own(v) + min { live(D) : S - v <= D, D without v }
//
// where a v with a descendant in S does not count, for it is never last. Likewise for the first of
// S: then nothing of S - v has run, nor anything behind it.
//
// What it sees and no bound of a single node does (analysis/lower_bounds): gradients that are added
// up and clipped by their norm. Whichever sum is made last, all the others are there, for their
// norm is still to come; whichever is scaled first, all the others wait to be. A node bound has to
// name the node, and for each one the cheapest order makes that sum early.
//
// Which S? Fix a join j and look at its ancestors A: of what A makes, all that j or a descendant of
// it reads is live until j has run. Let L(S) be the bytes of it that S makes, and of the inputs of
// that kind. So f(S, v) >= L(S) + extra(v), with in extra(v) what v needs beside it: workspace,
// other inputs and outputs. This grows with S. Therefore peeling finds the best S <= A of all:
// start with S = A and take out, again and again, the v of the least extra that has no successor in
// S. Proof: let S* be the best set. When its first member v is taken out, S holds S*, and v is the
// least of S; so the value of S is f(S, v) >= f(S*, v) >= the value of S*. For the first of a set,
// j is a fork, A its descendants, and L(S) the bytes that are there before j has run, or are j's,
// and that S reads.
//
// Where there is no join, alike nodes make a set: those that need most by themselves. Gradients
// that are added up and not clipped are one. Whichever is complete first, each of the others still
// has its activations, or what was added up of it.
//
// For the chosen S the minimum over D is then made exact, by one minimum cut for each v that may
// hold the bound down (analysis/node_cut, with S - v on its side); their networks are small, for
// most nodes are in S or behind v.
#pragma once

#include <vector>

#include "lowtide/base/limits.h"
#include "lowtide/model/order_problem.h"

namespace lowtide {

enum class SetEnd { kLast, kFirst };

// No order has a lower peak. Sets are sought among the ancestors of `join` if their last node
// counts, among its descendants if the first does. O(m log n), and the cuts, which are made while
// they may raise `known`, a bound already, and need to, up to `enough`. Where the meter stops it: a
// lower bound that may be smaller.
Bytes set_bound(const OrderProblem& problem, NodeId join, SetEnd end, Bytes known, Bytes enough,
                Meter* meter);

// The same for a set that is given.
Bytes set_bound(const OrderProblem& problem, const std::vector<NodeId>& set, SetEnd end,
                Bytes known, Bytes enough, Meter* meter);

// The nodes that need most by themselves, down to each of so many levels: of each level those that
// none of it comes after, and those that none of it comes before. O(m) a level.
std::vector<std::vector<NodeId>> needy_sets(const OrderProblem& problem, std::size_t levels,
                                            Meter* meter);

}  // namespace lowtide
