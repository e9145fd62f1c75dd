// A walk over down-sets from one end, one node at a time, that can be undone: the mutable state of
// the budget search. Forward it starts from nothing and runs nodes; backward it starts from
// everything and un-runs them. All counts are incremental; step costs are O(degree).
#pragma once

#include <array>
#include <vector>

#include "lowtide/order/budget_search.h"
#include "lowtide/order/core_problem.h"

namespace lowtide {

using SetHash = std::array<std::uint64_t, 2>;

class Walk {
 public:
  Walk(const CoreProblem& core, Direction direction);

  void step(int v);
  void undo_to(std::size_t length);

  Bytes live() const { return live_; }
  SetHash hash() const { return hash_; }
  const std::vector<int>& path() const { return path_; }
  bool is_complete() const { return path_.size() == core_.need.size(); }
  // Where v stands in the path, or -1.
  int position(int v) const { return position_[static_cast<std::size_t>(v)]; }
  const std::vector<int>& ready() const { return ready_; }

  // How a step with v would change live(); what it needs at its highest.
  Bytes growth(int v) const;
  Bytes cost(int v) const {
    const Bytes before = direction_ == Direction::kForward ? live_ : live_ + growth(v);
    return before + core_.need[static_cast<std::size_t>(v)];
  }

 private:
  const std::vector<int>& waited_for_by(int v) const {
    return direction_ == Direction::kForward ? core_.successors[static_cast<std::size_t>(v)]
                                             : core_.predecessors[static_cast<std::size_t>(v)];
  }
  void add_ready(int v);
  void remove_ready(int v);
  void touch_inputs(int v, int change);
  void flip_hash(int v);
  void undo();

  const CoreProblem& core_;
  Direction direction_;
  std::vector<int> waits_for_;
  // Forward: readers not run yet. Backward: readers un-run already.
  std::vector<int> readers_;
  std::vector<int> position_;
  std::vector<int> ready_;
  std::vector<int> ready_at_;  // index in ready_, or -1
  std::vector<int> path_;
  std::vector<Bytes> live_before_;  // of each step of the path
  Bytes live_ = 0;
  SetHash hash_{0x9e3779b97f4a7c15u, 0xbf58476d1ce4e5b9u};  // not the hash of an empty table slot
};

}  // namespace lowtide
