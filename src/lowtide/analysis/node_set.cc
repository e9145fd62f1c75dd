#include "lowtide/analysis/node_set.h"

namespace lowtide {

std::vector<NodeId> reachable(const Csr<NodeId, NodeId>& edges, NodeId from) {
  NodeSet seen(edges.num_rows());
  std::vector<NodeId> found;
  const auto visit = [&](NodeId v) {
    for (NodeId w : edges[v]) {
      if (seen.contains(w)) continue;
      seen.insert(w);
      found.push_back(w);
    }
  };
  visit(from);
  for (std::size_t i = 0; i < found.size(); ++i) visit(found[i]);
  return found;
}

}  // namespace lowtide
