// The state of an order being built node by node: which nodes are ready, which tensors are live,
// what running a node would need and change. One owner of this bookkeeping for all list schedulers.
#pragma once

#include <vector>

#include "lowtide/model/order_problem.h"

namespace lowtide {

class LiveSet {
 public:
  explicit LiveSet(const OrderProblem& problem);

  // Runs a ready node. O(its inputs, outputs and successors). Appends the nodes that became ready
  // to newly_ready() and those whose growth() fell to cheaper().
  void run(NodeId v);

  Bytes live() const { return live_; }
  Bytes peak() const { return peak_; }  // of what has run so far
  bool is_ready(NodeId v) const { return waits_for_[v] == 0; }
  // Bytes that running v now needs beside live().
  Bytes transient(NodeId v) const;
  // How running v now changes live(); only ever falls while v waits, and never below its final
  // value.
  Bytes growth(NodeId v) const;

  // Of the last run().
  const std::vector<NodeId>& newly_ready() const { return newly_ready_; }
  const std::vector<NodeId>& cheaper() const { return cheaper_; }

 private:
  void read(TensorId t);

  const OrderProblem& problem_;
  IdVector<NodeId, std::uint32_t> waits_for_;
  IdVector<TensorId, std::uint32_t> readers_left_;
  // XOR of the readers left: when one is left, it is that reader.
  IdVector<TensorId, std::uint32_t> readers_xor_;
  Bytes live_ = 0;
  Bytes peak_ = 0;
  std::vector<NodeId> newly_ready_;
  std::vector<NodeId> cheaper_;
};

}  // namespace lowtide
