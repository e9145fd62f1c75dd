// The cheapest down-set between two: min { live(D) : lower <= D <= upper }, by one minimum cut.
//
// live(D) is the cut function of a directed hypergraph: a tensor costs its bytes if its producer is
// in D and it is kept or has a reader outside.
//
//     producer --bytes--> tensor --inf--> each reader        (cut: live)
//     node --inf--> each predecessor                         (D is closed under predecessors)
//     `lower` is the source, the complement of `upper` the sink.
//
// Only the free nodes, between the two, and their tensors are in the network: what is live whatever
// D is part of the constant that the caller adds.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "lowtide/analysis/max_flow.h"
#include "lowtide/model/order_problem.h"

namespace lowtide {

enum class Side : std::uint8_t { kIn, kFree, kOut };
enum class Minimiser { kSmallest, kLargest };

class LiveCut {
 public:
  explicit LiveCut(const OrderProblem& problem)
      : problem_(&problem), vertex_(problem.num_nodes(), -1), seen_(problem.num_tensors(), 0) {}

  // The network for `free`; side(v) must be kFree for exactly these. Memory is kept between calls;
  // the cost is that of the free nodes and their tensors.
  template <class SideOf>
  void build(std::span<const NodeId> free, const SideOf& side) {
    start(free);
    for (NodeId v : free)
      for (NodeId p : problem_->predecessors[v])
        if (side(p) == Side::kFree) flow_.add_arc(vertex_[v], vertex_[p], MaxFlow::kInfinite);
    for (NodeId v : free) {
      for (TensorId t : problem_->inputs[v]) add_tensor(t, side);
      for (TensorId t : problem_->outputs[v]) add_tensor(t, side);
    }
  }

  // `bytes` more if any of `readers` is not in D. (Readers that are kOut: a constant, not for
  // here.)
  template <class SideOf>
  void charge_unless_read(std::span<const NodeId> readers, Bytes bytes, const SideOf& side) {
    int between = -1;
    for (NodeId c : readers) {
      if (side(c) != Side::kFree) continue;
      if (between < 0) flow_.add_arc(kSource, between = flow_.add_vertex(), bytes);
      flow_.add_arc(between, vertex_[c], MaxFlow::kInfinite);
    }
  }

  // Bytes added to the cut by this call (see MaxFlow::run).
  Bytes run(Meter* meter, Bytes enough = MaxFlow::kInfinite) {
    const Bytes grown = flow_.run(kSource, kSink, meter, enough);
    is_maximal_ = flow_.is_maximal();
    return grown;
  }
  bool is_maximal() const { return is_maximal_; }

  // After a maximal run(): by how much the cut grows at least if u has to be in D (kIn) or outside
  // (kOut). Costs only the flow that this adds, from u or to u: neither can pass the source's side
  // of the cut, or the sink's, which no more flow leaves. The next question takes it back.
  Bytes run_forced(NodeId u, Side side, Meter* meter, Bytes enough) {
    flow_.rewind();
    flow_.mark();
    forced_in_ = side == Side::kIn ? vertex_[u] : -1;
    return side == Side::kIn ? flow_.run(vertex_[u], kSink, meter, enough)
                             : flow_.run(kSource, vertex_[u], meter, enough);
  }
  bool is_forced_maximal() const { return flow_.is_maximal(); }

  // For each of the free nodes, in their order: whether it is in the minimiser.
  std::vector<char> minimiser(Minimiser which) {
    flow_.rewind();
    return flags_of(which == Minimiser::kLargest ? flow_.not_reaching_sink(kSink)
                                                 : flow_.reached_from({kSource}));
  }
  // The smallest one, after a maximal run_forced().
  std::vector<char> forced_minimiser() const {
    return flags_of(forced_in_ < 0 ? flow_.reached_from({kSource})
                                   : flow_.reached_from({kSource, forced_in_}));
  }

  const std::vector<NodeId>& free_nodes() const { return free_; }

 private:
  static constexpr int kSource = 0;
  static constexpr int kSink = 1;

  std::vector<char> flags_of(const std::vector<bool>& inside) const {
    std::vector<char> flags;
    flags.reserve(free_.size());
    for (NodeId v : free_) flags.push_back(inside[static_cast<std::size_t>(vertex_[v])] ? 1 : 0);
    return flags;
  }

  void start(std::span<const NodeId> free) {
    for (NodeId v : free_) vertex_[v] = -1;
    for (TensorId t : tensors_) seen_[t] = 0;
    tensors_.clear();
    free_.assign(free.begin(), free.end());
    flow_.reset(2 + static_cast<int>(free.size()));
    int next = 2;
    for (NodeId v : free_) vertex_[v] = next++;
  }

  template <class SideOf>
  void add_tensor(TensorId t, const SideOf& side) {
    if (seen_[t]) return;
    seen_[t] = 1;
    tensors_.push_back(t);
    const NodeId producer = problem_->producer[t];
    const Side made = producer.is_none() ? Side::kIn : side(producer);
    if (made == Side::kOut) return;
    const auto readers = problem_->consumers[t];
    const bool needed =
        problem_->kept[t] || std::any_of(readers.begin(), readers.end(),
                                         [&](NodeId c) { return side(c) == Side::kOut; });
    const int from = made == Side::kIn ? kSource : vertex_[producer];
    if (needed) {
      if (from != kSource) flow_.add_arc(from, kSink, problem_->bytes[t]);
      return;
    }
    const int between = flow_.add_vertex();
    flow_.add_arc(from, between, problem_->bytes[t]);
    for (NodeId c : readers)
      if (side(c) == Side::kFree) flow_.add_arc(between, vertex_[c], MaxFlow::kInfinite);
  }

  const OrderProblem* problem_;
  MaxFlow flow_{2};
  bool is_maximal_ = false;
  int forced_in_ = -1;  // the vertex that run_forced() puts in D
  std::vector<NodeId> free_;
  std::vector<TensorId> tensors_;
  IdVector<NodeId, int> vertex_;
  IdVector<TensorId, std::uint8_t> seen_;
};

}  // namespace lowtide
