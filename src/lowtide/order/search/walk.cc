#include "lowtide/order/search/walk.h"

#include "lowtide/base/check.h"

namespace lowtide {
namespace {

// A fixed pseudo-random word for each number (splitmix64).
std::uint64_t mixed(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

constexpr SetHash kHashOfNothing{0x9e3779b97f4a7c15u, 0xbf58476d1ce4e5b9u};

}  // namespace

Walk::Walk(const OrderProblem& problem, Direction direction)
    : problem_(problem),
      direction_(direction),
      own_(problem.num_nodes(), 0),
      growth_(problem.num_nodes(), 0),
      waits_for_(problem.num_nodes(), 0),
      readers_(problem.num_tensors(), 0),
      readers_xor_(problem.num_tensors(), 0),
      position_(problem.num_nodes(), -1),
      ready_at_(problem.num_nodes(), -1),
      quiet_at_(problem.num_nodes(), -1),
      hash_(kHashOfNothing) {
  LOWTIDE_CHECK(direction == Direction::kForward || problem.reuses.num_items() == 0,
                "backwards, a step's cost must not depend on the state");
  start();
}

void Walk::start() {
  const bool forward = direction_ == Direction::kForward;
  for (TensorId t : problem_.tensors()) {
    const auto consumers = problem_.consumers[t];
    if (forward) readers_[t] = static_cast<int>(consumers.size());
    for (NodeId c : consumers) readers_xor_[t] ^= c.value();
    // At the start what nobody makes is live, at the end what is kept.
    if (survives(t) && (forward ? problem_.producer[t].is_none() : problem_.kept[t] != 0))
      live_ += problem_.bytes[t];
  }
  for (NodeId v : problem_.nodes()) {
    own_[v] = own_bytes(problem_, v);
    for (TensorId t : problem_.outputs[v])
      if (survives(t)) growth_[v] += forward ? problem_.bytes[t] : -problem_.bytes[t];
    for (TensorId t : problem_.inputs[v]) {
      if (problem_.kept[t]) continue;
      if (!forward) growth_[v] += problem_.bytes[t];
      if (forward && readers_[t] == 1) growth_[v] -= problem_.bytes[t];
    }
    const auto& before = forward ? problem_.predecessors : problem_.successors;
    waits_for_[v] = static_cast<int>(before[v].size());
  }
  for (NodeId v : problem_.nodes())
    if (waits_for_[v] == 0) become_ready(v);
}

Bytes Walk::reused(NodeId v) const {
  Bytes bytes = 0;
  for (const Reuse& reuse : problem_.reuses[v])
    if (readers_[reuse.old] == 1) bytes += problem_.bytes[reuse.fresh];
  return bytes;
}

void Walk::add(NodeId v, std::vector<NodeId>* list, Places* places) {
  (*places)[v] = static_cast<int>(list->size());
  list->push_back(v);
}

void Walk::remove(NodeId v, std::vector<NodeId>* list, Places* places) {
  const NodeId last = list->back();
  (*list)[static_cast<std::size_t>((*places)[v])] = last;
  (*places)[last] = (*places)[v];
  list->pop_back();
  (*places)[v] = -1;
}

void Walk::become_ready(NodeId v) {
  add(v, &ready_, &ready_at_);
  if (growth_[v] <= 0) add(v, &quiet_, &quiet_at_);
}

void Walk::stop_being_ready(NodeId v) {
  remove(v, &ready_, &ready_at_);
  if (quiet_at_[v] >= 0) remove(v, &quiet_, &quiet_at_);
}

void Walk::change_growth(NodeId v, Bytes change) {
  growth_[v] += change;
  if (ready_at_[v] < 0) return;
  if (growth_[v] <= 0 && quiet_at_[v] < 0) add(v, &quiet_, &quiet_at_);
  if (growth_[v] > 0 && quiet_at_[v] >= 0) remove(v, &quiet_, &quiet_at_);
}

void Walk::read(TensorId t, NodeId v) {
  const Bytes bytes = problem_.kept[t] ? 0 : problem_.bytes[t];
  if (direction_ == Direction::kForward) {
    readers_xor_[t] ^= v.value();
    if (--readers_[t] == 1) change_growth(NodeId(readers_xor_[t]), -bytes);
  } else if (readers_[t]++ == 0 && bytes > 0) {
    for (NodeId c : problem_.consumers[t])
      if (c != v) change_growth(c, -bytes);
  }
}

void Walk::unread(TensorId t, NodeId v) {
  const Bytes bytes = problem_.kept[t] ? 0 : problem_.bytes[t];
  if (direction_ == Direction::kForward) {
    if (readers_[t]++ == 1) change_growth(NodeId(readers_xor_[t]), bytes);
    readers_xor_[t] ^= v.value();
  } else if (--readers_[t] == 0 && bytes > 0) {
    for (NodeId c : problem_.consumers[t])
      if (c != v) change_growth(c, bytes);
  }
}

void Walk::flip_hash(NodeId v) {
  hash_[0] ^= mixed(2 * std::uint64_t{v.value()});
  hash_[1] ^= mixed(2 * std::uint64_t{v.value()} + 1);
}

void Walk::step(NodeId v) {
  live_ += growth_[v];
  stop_being_ready(v);
  for (TensorId t : problem_.inputs[v]) read(t, v);
  for (NodeId w : waiting()[v])
    if (--waits_for_[w] == 0) become_ready(w);
  add(v, &path_, &position_);
  flip_hash(v);
}

void Walk::undo() {
  const NodeId v = path_.back();
  remove(v, &path_, &position_);
  flip_hash(v);
  for (NodeId w : waiting()[v])
    if (waits_for_[w]++ == 0) stop_being_ready(w);
  for (TensorId t : problem_.inputs[v]) unread(t, v);
  become_ready(v);
  live_ -= growth_[v];
}

void Walk::undo_to(std::size_t length) {
  while (path_.size() > length) undo();
}

void Walk::check_consistency() const {
  Walk fresh(problem_, direction_);
  for (NodeId v : path_) fresh.step(v);
  LOWTIDE_CHECK(fresh.live_ == live_ && fresh.hash_ == hash_, "a walk's sums have drifted");
  for (NodeId v : ready_)
    LOWTIDE_CHECK(fresh.ready_at_[v] >= 0 && fresh.growth_[v] == growth_[v] &&
                      (quiet_at_[v] >= 0) == (growth_[v] <= 0),
                  "a walk's growths have drifted");
  LOWTIDE_CHECK(ready_.size() == fresh.ready_.size(), "a walk's ready nodes have drifted");
}

}  // namespace lowtide
