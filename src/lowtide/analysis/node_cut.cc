#include "lowtide/analysis/node_cut.h"

#include "lowtide/analysis/node_set.h"

namespace lowtide {

NodeCut::NodeCut(const OrderProblem& problem, NodeId v, Meter* meter)
    : problem_(&problem), v_(v), side_(problem.num_nodes(), Side::kFree), cut_(problem) {
  mark(problem.predecessors, v, Side::kIn, meter);
  mark(problem.successors, v, Side::kOut, meter);
  side_[v] = Side::kOut;
  for (NodeId u : problem.nodes())
    if (side_[u] == Side::kFree) free_.push_back(u);
  bound_ = surely_needed(meter);
}

NodeCut::NodeCut(const OrderProblem& problem, NodeId v, Meter* meter, IdVector<NodeId, Side> side,
                 std::vector<NodeId> free)
    : problem_(&problem), v_(v), side_(std::move(side)), free_(std::move(free)), cut_(problem) {
  bound_ = surely_needed(meter);
}

void NodeCut::mark(const Csr<NodeId, NodeId>& edges, NodeId from, Side side, Meter* meter) {
  const auto nodes = reachable(edges, from);
  for (NodeId u : nodes) side_[u] = side;
  meter->spend(static_cast<std::int64_t>(nodes.size()));
}

Bytes NodeCut::surely_needed(Meter* meter) const {
  Bytes bytes = own_bytes(*problem_, v_);
  for (TensorId t : problem_->tensors()) {
    const NodeId producer = problem_->producer[t];
    if (!producer.is_none() && side_[producer] != Side::kIn) continue;
    const auto readers = problem_->consumers[t];
    if (problem_->kept[t] || std::any_of(readers.begin(), readers.end(),
                                         [&](NodeId c) { return side_[c] == Side::kOut; }))
      bytes += problem_->bytes[t];
  }
  for (const Reuse& reuse : problem_->reuses[v_])
    if (may_take_effect(reuse)) bytes -= problem_->bytes[reuse.fresh];
  meter->spend(static_cast<std::int64_t>(problem_->num_nodes() + problem_->num_tensors()));
  return bytes;
}

bool NodeCut::may_take_effect(const Reuse& reuse) const {
  const auto readers = problem_->consumers[reuse.old];
  return !problem_->kept[reuse.old] && std::none_of(readers.begin(), readers.end(), [&](NodeId c) {
    return c != v_ && side_[c] == Side::kOut;
  });
}

void NodeCut::build(Meter* meter) {
  const auto side = [&](NodeId u) { return side_[u]; };
  cut_.build(free_, side);
  for (const Reuse& reuse : problem_->reuses[v_])
    if (may_take_effect(reuse))
      cut_.charge_unless_read(problem_->consumers[reuse.old], problem_->bytes[reuse.fresh], side);
  is_built_ = true;
  meter->spend(static_cast<std::int64_t>(problem_->num_nodes() + problem_->num_tensors()));
}

Bytes NodeCut::run(Meter* meter, Bytes enough) {
  if (meter->stopped()) return bound_;
  if (!is_built_) build(meter);
  return bound_ += cut_.run(meter, enough);
}

IdVector<NodeId, std::uint8_t> NodeCut::minimiser(Minimiser which) {
  IdVector<NodeId, std::uint8_t> inside(side_.size(), 0);
  for (NodeId u : side_.ids()) inside[u] = side_[u] == Side::kIn;
  const auto flags = cut_.minimiser(which);
  for (std::size_t i = 0; i < flags.size(); ++i) inside[free_[i]] = flags[i] != 0;
  return inside;
}

}  // namespace lowtide
