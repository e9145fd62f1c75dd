// Precedences among interchangeable parts: one order out of each set of equivalent ones is enough.
//
// An involution s of the nodes that maps the problem to itself (needs, dependencies, and tensors
// with their bytes, producer, readers and fate) maps orders to orders of the same peak. If it swaps
// r_1 and r_2, some optimal order therefore runs r_1 first: if one runs r_2 first, take its image.
// Parts P_1 .. P_k, disjoint, where s_i swaps P_i with P_(i+1), r_i with r_(i+1), and moves nothing
// else: the s_i generate every permutation of the parts, so r_1 .. r_k may be chained. Several such
// chains of parts that do not overlap do not disturb each other: the permutations of one leave the
// representatives of the others where they are. So all the chains can be added together. At each
// budget the problem keeps an order that fits if it had one; it says nothing else about its orders.
//
// Candidates come from colour refinement (nodes of one stable colour look alike to any distance);
// the swap of two of them is followed through the neighbours that they do not share, and VERIFIED
// edge by edge and tensor by tensor: a wrong guess costs time, never the optimum. The heaviest
// nodes come first and so become representatives. Representatives are chained in the order in which
// the guide runs them, so the guide stays legal. Twins are parts of one node.
//
// With open reuses nothing is found: pairs would have to be mapped as well.
// O(edges log nodes) a round of colouring; a swap costs its parts and their edges.
#pragma once

#include <vector>

#include "lowtide/base/limits.h"
#include "lowtide/order/search/reduced.h"

namespace lowtide {

// `guide`: any legal order. `rounds` of colouring at most: with fewer, more swaps are tried in
// vain.
std::vector<Precedence> symmetry_precedences(const OrderProblem& problem, const Schedule& guide,
                                             Meter* meter, int rounds = 32);

}  // namespace lowtide
