#include "lowtide/order/walk.h"

namespace lowtide {
namespace {

// A fixed pseudo-random word for each number (splitmix64).
std::uint64_t mixed(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

}  // namespace

Walk::Walk(const CoreProblem& core, Direction direction)
    : core_(core),
      direction_(direction),
      position_(core.need.size(), -1),
      ready_at_(core.need.size(), -1),
      live_(core.base) {
  const bool forward = direction == Direction::kForward;
  for (const CoreTensor& tensor : core.tensors) {
    readers_.push_back(forward ? static_cast<int>(tensor.consumers.size()) : 0);
    // At the start what nobody makes is live, at the end what is kept.
    if (forward ? tensor.producer < 0 : tensor.kept) live_ += tensor.bytes;
  }
  for (int v = 0; v < core.num_nodes(); ++v) {
    const auto& before = forward ? core.predecessors[static_cast<std::size_t>(v)]
                                 : core.successors[static_cast<std::size_t>(v)];
    waits_for_.push_back(static_cast<int>(before.size()));
    if (before.empty()) add_ready(v);
  }
}

Bytes Walk::growth(int v) const {
  const auto n = static_cast<std::size_t>(v);
  Bytes bytes = 0;
  if (direction_ == Direction::kForward) {
    for (int t : core_.outputs[n]) bytes += core_.tensors[static_cast<std::size_t>(t)].bytes;
    for (int t : core_.inputs[n]) {
      const CoreTensor& tensor = core_.tensors[static_cast<std::size_t>(t)];
      if (!tensor.kept && readers_[static_cast<std::size_t>(t)] == 1) bytes -= tensor.bytes;
    }
    return bytes;
  }
  for (int t : core_.outputs[n]) bytes -= core_.tensors[static_cast<std::size_t>(t)].bytes;
  for (int t : core_.inputs[n]) {
    const CoreTensor& tensor = core_.tensors[static_cast<std::size_t>(t)];
    if (!tensor.kept && readers_[static_cast<std::size_t>(t)] == 0) bytes += tensor.bytes;
  }
  return bytes;
}

void Walk::add_ready(int v) {
  ready_at_[static_cast<std::size_t>(v)] = static_cast<int>(ready_.size());
  ready_.push_back(v);
}

void Walk::remove_ready(int v) {
  const int at = ready_at_[static_cast<std::size_t>(v)];
  const int last = ready_.back();
  ready_[static_cast<std::size_t>(at)] = last;
  ready_at_[static_cast<std::size_t>(last)] = at;
  ready_.pop_back();
  ready_at_[static_cast<std::size_t>(v)] = -1;
}

void Walk::touch_inputs(int v, int change) {
  for (int t : core_.inputs[static_cast<std::size_t>(v)])
    readers_[static_cast<std::size_t>(t)] += change;
}

void Walk::flip_hash(int v) {
  hash_[0] ^= mixed(2 * static_cast<std::uint64_t>(v));
  hash_[1] ^= mixed(2 * static_cast<std::uint64_t>(v) + 1);
}

void Walk::step(int v) {
  live_before_.push_back(live_);
  live_ += growth(v);
  touch_inputs(v, direction_ == Direction::kForward ? -1 : 1);
  remove_ready(v);
  for (int w : waited_for_by(v))
    if (--waits_for_[static_cast<std::size_t>(w)] == 0) add_ready(w);
  position_[static_cast<std::size_t>(v)] = static_cast<int>(path_.size());
  path_.push_back(v);
  flip_hash(v);
}

void Walk::undo() {
  const int v = path_.back();
  path_.pop_back();
  position_[static_cast<std::size_t>(v)] = -1;
  flip_hash(v);
  for (int w : waited_for_by(v))
    if (waits_for_[static_cast<std::size_t>(w)]++ == 0) remove_ready(w);
  add_ready(v);
  touch_inputs(v, direction_ == Direction::kForward ? 1 : -1);
  live_ = live_before_.back();
  live_before_.pop_back();
}

void Walk::undo_to(std::size_t length) {
  while (path_.size() > length) undo();
}

}  // namespace lowtide
