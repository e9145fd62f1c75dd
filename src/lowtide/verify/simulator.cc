#include "lowtide/verify/simulator.h"

#include <algorithm>
#include <iterator>

namespace lowtide {

TensorId Arena::occupy(TensorId tensor, Bytes offset, Bytes size) {
  const auto next = occupants_.lower_bound(offset);
  if (next != occupants_.end() && next->first < offset + size) return next->second.tensor;
  if (next != occupants_.begin()) {
    const Occupant& before = std::prev(next)->second;
    if (before.end > offset) return before.tensor;
  }
  occupants_.emplace_hint(next, offset, Occupant{offset + size, tensor});
  return TensorId::none();
}

void Arena::release(TensorId tensor, Bytes offset) {
  const auto found = occupants_.find(offset);
  if (found != occupants_.end() && found->second.tensor == tensor) occupants_.erase(found);
}

namespace {

class Simulator {
 public:
  Simulator(const Graph& graph, const Plan& plan) : graph_(graph), plan_(plan) {
    readers_left_.resize(graph.num_tensors());
    state_.resize(graph.num_tensors(), kUnmade);
    takes_bytes_of_.resize(graph.num_tensors());
    for (TensorId t : graph.tensors()) readers_left_[t] = graph.consumers(t).size();
    for (const Reuse& reuse : plan.reuses) takes_bytes_of_[reuse.fresh] = reuse.old;
  }

  Simulation run() {
    // A freeable input that nobody reads, and the caller does not keep, is never there.
    for (TensorId t : graph_.tensors())
      if (graph_.producer(t).is_none() && (readers_left_[t] > 0 || graph_.is_output(t))) make(t);
    for (NodeId v : plan_.schedule) step(v);
    return std::move(result_);
  }

 private:
  enum State : std::uint8_t { kUnmade, kLive, kDead };

  bool is_planned(TensorId t) const { return !graph_.is_persistent(t); }
  bool is_placed(TensorId t) const {
    return t.index() < plan_.offsets.size() && graph_.bytes(t) > 0 && plan_.offsets[t] >= 0 &&
           plan_.offsets[t] <= kMaxBytes - graph_.bytes(t);
  }

  void step(NodeId v) {
    for (TensorId t : graph_.inputs(v))
      if (is_planned(t) && state_[t] == kUnmade) result_.early_reads.push_back({v, t});
    for (TensorId t : graph_.outputs(v))
      if (!takes_over(t)) make(t);
    const Bytes needed = live_ + graph_.workspace_bytes(v);
    result_.needed.push_back(needed);
    result_.peak = std::max(result_.peak, needed);
    for (TensorId t : graph_.inputs(v)) {
      --readers_left_[t];
      free_if_done(t);
    }
    // What took over an input's bytes holds them from here on.
    for (TensorId t : graph_.outputs(v))
      if (state_[t] == kUnmade) make(t);
    for (TensorId t : graph_.outputs(v)) free_if_done(t);
  }

  // Whether `t` takes the bytes of a tensor that its producer, about to run, is the last to read.
  bool takes_over(TensorId t) {
    const TensorId old = takes_bytes_of_[t];
    if (old.is_none()) return false;
    const bool dies_here =
        state_[old] == kLive && readers_left_[old] == 1 && !graph_.is_output(old);
    if (dies_here && graph_.bytes(t) <= graph_.bytes(old)) return true;
    result_.impossible_reuses.push_back({t, old});
    return false;
  }

  void make(TensorId t) {
    if (!is_planned(t)) return;
    state_[t] = kLive;
    live_ += graph_.bytes(t);
    if (!is_placed(t)) return;
    const TensorId other = arena_.occupy(t, plan_.offsets[t], graph_.bytes(t));
    if (!other.is_none()) result_.overlaps.push_back({result_.needed.size(), t, other});
  }

  void free_if_done(TensorId t) {
    if (!is_planned(t) || state_[t] != kLive || readers_left_[t] > 0 || graph_.is_output(t)) return;
    state_[t] = kDead;
    live_ -= graph_.bytes(t);
    if (is_placed(t)) arena_.release(t, plan_.offsets[t]);
  }

  const Graph& graph_;
  const Plan& plan_;
  IdVector<TensorId, std::size_t> readers_left_;
  IdVector<TensorId, std::uint8_t> state_;
  IdVector<TensorId, TensorId> takes_bytes_of_;
  Arena arena_;
  Bytes live_ = 0;
  Simulation result_;
};

}  // namespace

Simulation simulate(const Graph& graph, const Plan& plan) { return Simulator(graph, plan).run(); }

Bytes simulated_peak(const Graph& graph, const Schedule& schedule) {
  Plan plan;
  plan.schedule = schedule;
  return simulate(graph, plan).peak;
}

Schedule program_order(const Graph& graph) {
  Schedule schedule;
  schedule.reserve(graph.num_nodes());
  for (NodeId v : graph.nodes()) schedule.push_back(v);
  return schedule;
}

}  // namespace lowtide
