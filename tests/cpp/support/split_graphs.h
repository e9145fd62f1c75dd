// The smallest graphs found where the split (an optimal order, then its best layout) can be worse
// than the paper's equation 9. One tensor a node: its bytes, what it reads, whether it is kept.
#pragma once

#include <string>
#include <vector>

#include "lowtide/graph/graph_builder.h"

namespace lowtide::testing {

struct Item {
  Bytes bytes;
  std::vector<int> reads;
  bool kept = false;
};

inline Graph graph_of(const std::vector<Item>& items) {
  GraphBuilder builder("split");
  for (std::size_t i = 0; i < items.size(); ++i)
    builder.add_tensor(
        {"t" + std::to_string(i), items[i].bytes, TensorKind::kActivation, items[i].kept});
  for (std::size_t i = 0; i < items.size(); ++i) {
    NodeSpec node{.name = "n" + std::to_string(i)};
    node.outputs = {"t" + std::to_string(i)};
    for (int read : items[i].reads) node.inputs.push_back("t" + std::to_string(read));
    builder.add_node(node);
  }
  return std::move(builder).build();
}

// Some orders of the least peak (8) pack, others do not.
inline Graph unlucky_graph() {
  return graph_of({{5, {}}, {2, {}}, {4, {}}, {2, {0}}, {1, {1, 3}}, {6, {4}}, {5, {1}}});
}

// No order of the least peak (10) packs better than 12, but one of peak 11 fits into 11.
inline Graph strict_graph() {
  return graph_of(
      {{3, {}}, {4, {}}, {3, {1}}, {2, {0, 2}, true}, {7, {3}, true}, {7, {0}}, {5, {2}}});
}

}  // namespace lowtide::testing
