// Which node reaches which along the dependencies (the paper's Function 2, IsInTransitiveFanin).
//
// Two representations behind one question:
//   * exact: a bitset row a node. n^2/8 bytes and O(n m / 64) time, so only where that fits.
//   * chains: a few long paths through the graph, and for every node the first index it reaches and
//     the last index that reaches it on each. a reaches b if on some chain a's first is not after
//     b's last. Linear time and memory. A captured training step is one long chain with short
//     branches, so nearly all questions are answered; for the rest a small local search helps.
//     "No" then means "not known to": every caller must be right with that.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lowtide/base/csr.h"
#include "lowtide/base/id.h"
#include "lowtide/base/limits.h"

namespace lowtide {

class Reachability {
 public:
  // Nodes must be numbered topologically. Bitsets if they take at most `max_bytes`, else chains;
  // fewer of these where the meter stops it.
  Reachability(const Csr<NodeId, NodeId>& predecessors, const Csr<NodeId, NodeId>& successors,
               std::int64_t max_bytes, Meter* meter);

  bool is_exact() const { return is_exact_; }
  // A path of at least one arc leads from a to b. Exact, or false if not known.
  bool reaches(NodeId a, NodeId b) const {
    return is_exact_ ? bit(a, b) : a < b && reaches_by_chain(a, b);
  }
  bool unordered(NodeId a, NodeId b) const { return a != b && !reaches(a, b) && !reaches(b, a); }

  // Exact only: the row of a's descendants, 64 nodes a word.
  std::span<const std::uint64_t> descendants(NodeId a) const {
    return {bits_.data() + a.index() * words_, words_};
  }

  static std::int64_t exact_bytes(std::size_t num_nodes) {
    return static_cast<std::int64_t>(num_nodes * ((num_nodes + 63) / 64) * 8);
  }

 private:
  static constexpr int kMaxChains = 6;
  static constexpr int kLocalNodes = 24;

  bool bit(NodeId a, NodeId b) const {
    return (bits_[a.index() * words_ + b.index() / 64] >> (b.index() % 64)) & 1;
  }
  bool reaches_by_chain(NodeId a, NodeId b) const;
  bool reaches_nearby(NodeId a, NodeId b) const;
  void fill_bits();
  void add_chains(Meter* meter);
  // The longest path through nodes that no chain holds yet; empty if it is short.
  std::vector<NodeId> longest_free_path(const std::vector<std::uint8_t>& taken) const;
  void index_chain(const std::vector<NodeId>& chain);

  const Csr<NodeId, NodeId>& predecessors_;
  const Csr<NodeId, NodeId>& successors_;
  bool is_exact_;
  std::size_t words_ = 0;
  std::vector<std::uint64_t> bits_;
  int num_chains_ = 0;
  std::vector<std::int32_t> first_reached_;  // [chain * n + node]; n if none
  std::vector<std::int32_t> last_reaching_;  // [chain * n + node]; -1 if none
};

}  // namespace lowtide
