#include "lowtide/analysis/set_walk.h"

namespace lowtide {

SetWalk::SetWalk(const OrderProblem& problem)
    : problem_(problem),
      own_(problem.num_nodes(), 0),
      in_(problem.num_nodes(), 0),
      made_(problem.num_tensors(), 0),
      readers_outside_(problem.num_tensors(), 0) {
  for (NodeId v : problem.nodes()) own_[v] = own_bytes(problem, v);
  for (TensorId t : problem.tensors()) {
    made_[t] = problem.producer[t].is_none();
    readers_outside_[t] = static_cast<int>(problem.consumers[t].size());
    if (made_[t] && (problem.kept[t] || readers_outside_[t] > 0)) live_ += problem.bytes[t];
  }
}

Bytes SetWalk::cost(NodeId v) const {
  Bytes bytes = live_ + own_[v];
  for (const Reuse& reuse : problem_.reuses[v])
    if (readers_outside_[reuse.old] == 1) bytes -= problem_.bytes[reuse.fresh];
  return bytes;
}

void SetWalk::put(NodeId v) {
  in_[v] = 1;
  for (TensorId t : problem_.outputs[v]) {
    made_[t] = 1;
    if (problem_.kept[t] || readers_outside_[t] > 0) live_ += problem_.bytes[t];
  }
  for (TensorId t : problem_.inputs[v])
    if (--readers_outside_[t] == 0 && made_[t] && !problem_.kept[t]) live_ -= problem_.bytes[t];
}

void SetWalk::take(NodeId v) {
  in_[v] = 0;
  for (TensorId t : problem_.inputs[v])
    if (readers_outside_[t]++ == 0 && made_[t] && !problem_.kept[t]) live_ += problem_.bytes[t];
  for (TensorId t : problem_.outputs[v]) {
    made_[t] = 0;
    if (problem_.kept[t] || readers_outside_[t] > 0) live_ -= problem_.bytes[t];
  }
}

void SetWalk::insert(NodeId v) {
  put(v);
  trail_.push_back(v);
}

void SetWalk::erase(NodeId v) {
  take(v);
  trail_.push_back(v);
}

void SetWalk::rewind(std::size_t mark) {
  while (trail_.size() > mark) {
    const NodeId v = trail_.back();
    trail_.pop_back();
    in_[v] ? take(v) : put(v);
  }
}

}  // namespace lowtide
