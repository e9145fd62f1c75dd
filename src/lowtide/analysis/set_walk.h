// A set of nodes of an order problem with live(.) kept up to date; any node may enter or leave.
// Bounds and propagation vary it to find down-sets that need little, without a flow.
#pragma once

#include <vector>

#include "lowtide/model/order_problem.h"

namespace lowtide {

class SetWalk {
 public:
  explicit SetWalk(const OrderProblem& problem);

  void insert(NodeId v);
  void erase(NodeId v);
  bool contains(NodeId v) const { return in_[v] != 0; }

  Bytes live() const { return live_; }
  // What v, not in the set, needs right after it. (The set should be a down-set with v's
  // predecessors.)
  Bytes cost(NodeId v) const;

  // Changes since construction, or the last rewind() to a lower mark, can be taken back.
  std::size_t mark() const { return trail_.size(); }
  void rewind(std::size_t mark);
  // Changes so far are final.
  void settle() { trail_.clear(); }

 private:
  void put(NodeId v);
  void take(NodeId v);

  const OrderProblem& problem_;
  IdVector<NodeId, Bytes> own_;
  IdVector<NodeId, std::uint8_t> in_;
  IdVector<TensorId, std::uint8_t> made_;
  IdVector<TensorId, int> readers_outside_;
  std::vector<NodeId> trail_;
  Bytes live_ = 0;
};

}  // namespace lowtide
