// The order problem as the exact search sees it: nodes that may stand for whole runs of original
// nodes.
//
// A node v needs o(v) bytes beside what is live before it, whatever the state (outputs, workspace
// and whatever a contracted run needs on its way). After it, its surviving outputs are live and
// inputs without a reader left are gone. live(S) stays the submodular cut function of the design
// notes, so all their rules hold with any o(v). In-place reuse makes o(v) depend on the state: not
// expressible here.
#pragma once

#include <vector>

#include "lowtide/model/order_problem.h"

namespace lowtide {

struct CoreTensor {
  Bytes bytes = 0;
  int producer = -1;           // -1: live from the start
  std::vector<int> consumers;  // none: of no interest after its producer
  bool kept = false;
};

struct CoreProblem {
  std::vector<Bytes> need;  // o(v)
  std::vector<std::vector<int>> predecessors;
  std::vector<std::vector<int>> successors;
  std::vector<std::vector<int>> inputs;   // tensors
  std::vector<std::vector<int>> outputs;  // tensors with a consumer, or kept
  std::vector<CoreTensor> tensors;
  std::vector<std::vector<NodeId>> run;  // the original nodes, in order
  Bytes base = 0;                        // live all the time, in no tensor

  int num_nodes() const { return static_cast<int>(need.size()); }
};

// Requires a problem without reuses.
CoreProblem make_core(const OrderProblem& problem);

// What is left between two down-sets: the nodes with side[v] == 1, where 0 is done and 2 is to come
// after. A schedule of the piece within the same budget fits between. Nodes keep their relative
// order.
CoreProblem piece_of(const CoreProblem& core, const std::vector<char>& side);

// Bytes that survive v: its outputs.
Bytes surviving_bytes(const CoreProblem& core, int v);

}  // namespace lowtide
