#include "lowtide/order/greedy/live_set.h"

#include <algorithm>

namespace lowtide {

LiveSet::LiveSet(const OrderProblem& problem)
    : problem_(problem),
      waits_for_(problem.num_nodes(), 0),
      readers_left_(problem.num_tensors(), 0),
      readers_xor_(problem.num_tensors(), 0) {
  for (NodeId v : problem.nodes())
    waits_for_[v] = static_cast<std::uint32_t>(problem.predecessors[v].size());
  for (TensorId t : problem.tensors()) {
    const auto consumers = problem.consumers[t];
    readers_left_[t] = static_cast<std::uint32_t>(consumers.size());
    for (NodeId c : consumers) readers_xor_[t] ^= c.value();
    if (problem.producer[t].is_none() && (!consumers.empty() || problem.kept[t]))
      live_ += problem.bytes[t];
  }
}

Bytes LiveSet::transient(NodeId v) const {
  Bytes bytes = problem_.workspace_bytes[v];
  for (TensorId t : problem_.outputs[v]) bytes += problem_.bytes[t];
  for (const Reuse& reuse : problem_.reuses[v])
    if (readers_left_[reuse.old] == 1) bytes -= problem_.bytes[reuse.fresh];
  return bytes;
}

Bytes LiveSet::growth(NodeId v) const {
  Bytes bytes = 0;
  for (TensorId t : problem_.outputs[v])
    if (readers_left_[t] > 0 || problem_.kept[t]) bytes += problem_.bytes[t];
  for (TensorId t : problem_.inputs[v])
    if (readers_left_[t] == 1 && !problem_.kept[t]) bytes -= problem_.bytes[t];
  return bytes;
}

void LiveSet::read(TensorId t) {
  if (--readers_left_[t] == 1 && !problem_.kept[t]) cheaper_.emplace_back(readers_xor_[t]);
}

void LiveSet::run(NodeId v) {
  newly_ready_.clear();
  cheaper_.clear();
  peak_ = std::max(peak_, live_ + transient(v));
  live_ += growth(v);
  for (TensorId t : problem_.inputs[v]) {
    readers_xor_[t] ^= v.value();
    read(t);
  }
  waits_for_[v] = NodeId::kNoneValue;  // never ready again
  for (NodeId w : problem_.successors[v])
    if (--waits_for_[w] == 0) newly_ready_.push_back(w);
}

}  // namespace lowtide
