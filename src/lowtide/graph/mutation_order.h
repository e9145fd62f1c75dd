// Reads and writes of one tensor that the program has in one order and the dependencies in none.
//
// A node that writes a tensor in place (`mutates`) makes no new version of it. What reads it before
// the write in program order must run before, what reads it after must run after, and so must two
// writes; only inputs, outputs and `after` say so. Where they don't, a legal order may let the
// update of a parameter overtake its last read, and the step computes something else.
#pragma once

#include <string>
#include <vector>

#include "lowtide/graph/graph.h"

namespace lowtide {

struct AccessPair {
  NodeId first;  // in program order; at least one of the two writes
  NodeId second;
  TensorId tensor;
};

// Pairs that, if each is kept in order, keep all: every write after the reads since the last write
// (or after that), every read after the last write. O(reads and writes), in program order of
// `second`.
std::vector<AccessPair> access_pairs(const Graph& graph);

// Those of them that no path of dependencies keeps in order. O((nodes + arcs) pairs / 512) at
// most; pairs with a direct arc, or a path that touches the longest one, cost next to nothing, and
// those are nearly all in a training step.
std::vector<AccessPair> unordered_accesses(const Graph& graph);

// "node 'forward' reads 'w', which node 'update' writes later: ..."
std::string describe(const Graph& graph, const AccessPair& pair);

}  // namespace lowtide
