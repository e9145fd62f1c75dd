// A set of nodes as a bit vector; down-sets (closed under predecessors) are kept in it.
#pragma once

#include <vector>

#include "lowtide/base/csr.h"
#include "lowtide/base/id.h"

namespace lowtide {

class NodeSet {
 public:
  NodeSet() = default;
  explicit NodeSet(std::size_t num_nodes) : in_(num_nodes, false) {}

  bool contains(NodeId v) const { return in_[v.index()]; }
  void insert(NodeId v) { in_[v.index()] = true; }
  void erase(NodeId v) { in_[v.index()] = false; }
  std::size_t universe() const { return in_.size(); }

 private:
  std::vector<bool> in_;
};

// All nodes that `from` reaches along `edges`, without `from` itself, in no useful order.
// (predecessors: the ancestors; successors: the descendants.) O(edges touched).
std::vector<NodeId> reachable(const Csr<NodeId, NodeId>& edges, NodeId from);

}  // namespace lowtide
