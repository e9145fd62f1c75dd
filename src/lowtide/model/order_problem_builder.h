// Makes an OrderProblem from parts: for the reductions of order/, which rename, merge and leave out
// nodes, and for tests.
//
// Nodes are numbered as added, which must be a legal order. Dependencies and readers may repeat;
// rows come out sorted and without duplicates. Flat arrays throughout: O(parts) time and memory.
#pragma once

#include <utility>
#include <vector>

#include "lowtide/model/order_problem.h"

namespace lowtide {

class OrderProblemBuilder {
 public:
  // `need_bytes`: what the node needs beside the tensors live before it; at least its outputs, less
  // what it reuses in place.
  NodeId add_node(Bytes need_bytes, bool is_update = false);
  void add_dependency(NodeId before, NodeId after);
  // producer none(): live from the start. `bytes` > 0.
  TensorId add_tensor(Bytes bytes, NodeId producer, bool kept);
  void add_reader(TensorId tensor, NodeId reader);
  void add_reuse(NodeId node, Reuse reuse);

  OrderProblem build() &&;

 private:
  std::vector<Bytes> need_;
  std::vector<std::pair<NodeId, NodeId>> successors_;
  std::vector<std::pair<TensorId, NodeId>> readers_;
  std::vector<std::pair<NodeId, Reuse>> reuses_;
  OrderProblem problem_;
};

}  // namespace lowtide
