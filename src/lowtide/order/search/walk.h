// A walk over down-sets from one end, one node at a time, that can be undone: the mutable state of
// the budget search. Forward it starts from nothing and runs nodes; backward it starts from
// everything and un-runs them.
//
// All counts are incremental, growth() included: a step updates the nodes whose growth it changes
// (forward: the last reader of a tensor; backward: the readers of a tensor that became live again).
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "lowtide/graph/plan.h"
#include "lowtide/model/order_problem.h"

namespace lowtide {

enum class Direction { kForward, kBackward };

inline Direction opposite(Direction direction) {
  return direction == Direction::kForward ? Direction::kBackward : Direction::kForward;
}

using SetHash = std::array<std::uint64_t, 2>;

class Walk {
 public:
  // `problem` without open reuses if the direction is backward.
  Walk(const OrderProblem& problem, Direction direction);

  void step(NodeId v);
  void undo_to(std::size_t length);

  Bytes live() const { return live_; }
  SetHash hash() const { return hash_; }  // of the set of nodes stepped; never {0, 0}
  const std::vector<NodeId>& path() const { return path_; }
  bool is_complete() const { return path_.size() == problem_.num_nodes(); }
  // Where v stands in the path, or -1.
  int position(NodeId v) const { return position_[v]; }
  const std::vector<NodeId>& ready() const { return ready_; }
  bool is_ready(NodeId v) const { return ready_at_[v] >= 0; }
  // The ready nodes with growth() <= 0.
  const std::vector<NodeId>& quiet() const { return quiet_; }

  // How a step with v would change live(); what it needs at its highest.
  Bytes growth(NodeId v) const { return growth_[v]; }
  Bytes cost(NodeId v) const {
    if (direction_ == Direction::kBackward) return live_ + growth_[v] + own_[v];
    return live_ + own_[v] - reused(v);
  }

  // Recomputes everything from the path and CHECKs that it is the same. For tests.
  void check_consistency() const;

 private:
  // A set of nodes as a list, with each node's place in it.
  using Places = IdVector<NodeId, int>;  // -1: not in it
  static void add(NodeId v, std::vector<NodeId>* list, Places* places);
  static void remove(NodeId v, std::vector<NodeId>* list, Places* places);

  const Csr<NodeId, NodeId>& waiting() const {
    return direction_ == Direction::kForward ? problem_.successors : problem_.predecessors;
  }
  bool survives(TensorId t) const { return problem_.kept[t] || !problem_.consumers[t].empty(); }
  void start();
  Bytes reused(NodeId v) const;
  void become_ready(NodeId v);
  void stop_being_ready(NodeId v);
  void change_growth(NodeId v, Bytes change);
  void read(TensorId t, NodeId v);
  void unread(TensorId t, NodeId v);
  void flip_hash(NodeId v);
  void undo();

  const OrderProblem& problem_;
  Direction direction_;
  IdVector<NodeId, Bytes> own_;
  IdVector<NodeId, Bytes> growth_;
  IdVector<NodeId, int> waits_for_;
  // Forward: readers not run yet, and the XOR of their numbers (of one left: its number).
  // Backward: readers un-run already.
  IdVector<TensorId, int> readers_;
  IdVector<TensorId, std::uint32_t> readers_xor_;
  Places position_, ready_at_, quiet_at_;
  std::vector<NodeId> ready_, quiet_, path_;
  Bytes live_ = 0;
  SetHash hash_;
};

}  // namespace lowtide
