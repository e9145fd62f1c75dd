#include "lowtide/analysis/node_cut.h"

#include "lowtide/analysis/node_set.h"

namespace lowtide {

NodeCut::NodeCut(const OrderProblem& problem, NodeId v, Meter* meter)
    : problem_(&problem), v_(v), side_(problem.num_nodes(), Side::kFree), cut_(problem) {
  mark(problem.predecessors, v, Side::kIn, meter);
  mark(problem.successors, v, Side::kOut, meter);
  side_[v] = Side::kOut;
  std::vector<NodeId> free;
  for (NodeId u : problem.nodes())
    if (side_[u] == Side::kFree) free.push_back(u);
  build(free, meter);
}

NodeCut::NodeCut(const OrderProblem& problem, NodeId v, Meter* meter, IdVector<NodeId, Side> side,
                 const std::vector<NodeId>& free)
    : problem_(&problem), v_(v), side_(std::move(side)), cut_(problem) {
  build(free, meter);
}

void NodeCut::build(const std::vector<NodeId>& free, Meter* meter) {
  cut_.build(free, [&](NodeId u) { return side_[u]; });
  bound_ = own_bytes(*problem_, v_) + surely_live();
  add_reuses();
  meter->spend(static_cast<std::int64_t>(problem_->num_nodes() + problem_->num_tensors()));
}

void NodeCut::mark(const Csr<NodeId, NodeId>& edges, NodeId from, Side side, Meter* meter) {
  const auto nodes = reachable(edges, from);
  for (NodeId u : nodes) side_[u] = side;
  meter->spend(static_cast<std::int64_t>(nodes.size()));
}

Bytes NodeCut::surely_live() const {
  Bytes live = 0;
  for (TensorId t : problem_->tensors()) {
    const NodeId producer = problem_->producer[t];
    if (!producer.is_none() && side_[producer] != Side::kIn) continue;
    const auto readers = problem_->consumers[t];
    if (problem_->kept[t] || std::any_of(readers.begin(), readers.end(),
                                         [&](NodeId c) { return side_[c] == Side::kOut; }))
      live += problem_->bytes[t];
  }
  return live;
}

void NodeCut::add_reuses() {
  for (const Reuse& reuse : problem_->reuses[v_]) {
    const Bytes bytes = problem_->bytes[reuse.fresh];
    const auto readers = problem_->consumers[reuse.old];
    const bool never = std::any_of(readers.begin(), readers.end(),
                                   [&](NodeId c) { return c != v_ && side_[c] == Side::kOut; });
    if (never || problem_->kept[reuse.old]) continue;
    bound_ -= bytes;
    cut_.charge_unless_read(readers, bytes, [&](NodeId u) { return side_[u]; });
  }
}

Bytes NodeCut::run(Meter* meter, Bytes enough) { return bound_ += cut_.run(meter, enough); }

IdVector<NodeId, std::uint8_t> NodeCut::minimiser(Minimiser which) const {
  IdVector<NodeId, std::uint8_t> inside(side_.size(), 0);
  for (NodeId u : side_.ids()) inside[u] = side_[u] == Side::kIn;
  const auto flags = cut_.minimiser(which);
  for (std::size_t i = 0; i < flags.size(); ++i) inside[cut_.free_nodes()[i]] = flags[i] != 0;
  return inside;
}

}  // namespace lowtide
