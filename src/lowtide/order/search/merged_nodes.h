// Nodes of an order problem that merge: the state of contraction. Union-find with the lists of
// arcs, tensors and runs threaded through flat arrays, so that a merge only links lists.
//
// A merged node goes by the number of one of its members (its representative). Lists keep the
// original members and are mapped, and shortened, when read.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "lowtide/base/limits.h"
#include "lowtide/model/order_problem.h"
#include "lowtide/order/search/reduced.h"

namespace lowtide {

class MergedNodes {
 public:
  explicit MergedNodes(const OrderProblem& problem);

  NodeId find(NodeId v) const;
  bool is_merged(NodeId v) const { return parent_[v] != v; }

  // Representatives, each once, in no useful order. Valid until the next call.
  const std::vector<NodeId>& predecessors(NodeId v) { return read(&predecessors_, v); }
  const std::vector<NodeId>& successors(NodeId v) { return read(&successors_, v); }
  // The original members of v in the order they run.
  std::vector<NodeId> run_of(NodeId v) const;

  Bytes need(NodeId v) const { return need_[v]; }            // o(v)
  Bytes surviving(NodeId v) const { return surviving_[v]; }  // oal(v)
  Bytes only_read_by(NodeId v) const { return only_read_by_[v]; }
  // Calls visit(t) for every tensor that v reads, perhaps more than once; until it returns false.
  template <class Visit>
  void for_each_input(NodeId v, const Visit& visit) const {
    for_each_tensor(v, problem_.inputs, visit);
  }

  // v becomes part of `into`, run before or after it. `need`: what both need together.
  void merge_before(NodeId v, NodeId into, Bytes need);
  void merge_after(NodeId v, NodeId into, Bytes need);

  // Nothing if the meter stops it.
  std::optional<Reduced> survivors(Meter* meter);

 private:
  class Survivors;
  // A singly linked list of nodes for each node, all in one array.
  struct Lists {
    IdVector<NodeId, std::int32_t> head, tail;  // -1: empty
    std::vector<NodeId> item;
    std::vector<std::int32_t> next;
  };
  struct Use {
    bool survives;       // its producer
    NodeId only_reader;  // none() if kept, or not exactly one outside of its producer
  };

  static Lists lists_of(const Csr<NodeId, NodeId>& rows);
  static void link(Lists* lists, NodeId v, NodeId into);
  const std::vector<NodeId>& read(Lists* lists, NodeId v);
  template <class Visit>
  void for_each_tensor(NodeId v, const Csr<NodeId, TensorId>& rows, const Visit& visit) const {
    for (NodeId member = run_head_[v]; !member.is_none(); member = run_next_[member])
      for (TensorId t : rows[member])
        if (!visit(t)) return;
  }
  Use use_of(TensorId t) const;
  void account(const std::vector<TensorId>& tensors, int sign);
  void merge(NodeId v, NodeId into, Bytes need);

  const OrderProblem& problem_;
  mutable IdVector<NodeId, NodeId> parent_;
  Lists predecessors_, successors_;
  IdVector<NodeId, NodeId> run_head_, run_tail_, run_next_;
  IdVector<NodeId, Bytes> need_, surviving_, only_read_by_;
  IdVector<NodeId, std::int32_t> stamp_;
  std::int32_t last_stamp_ = 0;
  std::vector<NodeId> scratch_;
};

}  // namespace lowtide
