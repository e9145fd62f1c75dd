// Canonicalisation: the same problem, said with fewer tensors and control edges.
//
//   * Tensors that live and die together in every order, made by one node (or by none) for the same
//     readers, kept or not alike, become one of their bytes together. Layer norms, for one, leave a
//     mean and a deviation that only the backward pass reads.
//   * An `after` that other dependencies imply goes.
//   * What has no say in any order goes: reads of persistent tensors, and tensors of no bytes (an
//     `after` stands for the dependency).
//
// Tensors that a node may reuse in place stay as they are: their sizes matter one by one.
//
// Every order is legal in both graphs and needs the same in both at each step: the optimum, its
// proof and all else is kept. O(n + m) beside reachability (analysis/reachability.h: where that
// does not know, the edge stays).
#pragma once

#include <optional>

#include "lowtide/base/limits.h"
#include "lowtide/rewrite/rewritten.h"

namespace lowtide {

// Nothing if no tensors can be joined and no edge is implied.
std::optional<Rewritten> canonicalize(const Graph& graph, Meter* meter);

}  // namespace lowtide
