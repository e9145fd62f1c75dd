#include "lowtide/verify/simulator.h"

#include <algorithm>
#include <iterator>

namespace lowtide {

std::optional<Resident> Arena::occupy(Resident resident, Bytes offset, Bytes size) {
  const auto next = taken_.lower_bound(offset);
  if (next != taken_.end() && next->first < offset + size) return next->second.by;
  if (next != taken_.begin()) {
    const Taken& before = std::prev(next)->second;
    if (before.end > offset) return before.by;
  }
  taken_.emplace_hint(next, offset, Taken{offset + size, resident});
  return std::nullopt;
}

void Arena::release(Resident resident, Bytes offset) {
  const auto found = taken_.find(offset);
  if (found != taken_.end() && found->second.by == resident) taken_.erase(found);
}

namespace {

class Simulator {
 public:
  Simulator(const Graph& graph, const Plan& plan) : graph_(graph), plan_(plan) {
    readers_left_.resize(graph.num_tensors());
    state_.resize(graph.num_tensors(), kUnmade);
    takes_bytes_of_.resize(graph.num_tensors());
    for (TensorId t : graph.tensors()) readers_left_[t] = graph.consumers(t).size();
    const auto is_known = [&](TensorId t) { return t.index() < graph.num_tensors(); };
    for (const Reuse& reuse : plan.reuses)
      if (is_known(reuse.fresh) && is_known(reuse.old)) takes_bytes_of_[reuse.fresh] = reuse.old;
  }

  Simulation run() {
    // An input that nobody reads, and the caller does not keep, lives in no step.
    for (TensorId t : graph_.tensors())
      if (graph_.producer(t).is_none() && (readers_left_[t] > 0 || graph_.is_output(t))) make(t);
    for (NodeId v : plan_.schedule) step(v);
    return std::move(result_);
  }

 private:
  enum State : std::uint8_t { kUnmade, kLive, kDead };

  bool is_planned(TensorId t) const { return !graph_.is_persistent(t); }
  // Where `bytes` bytes are placed; nothing for what has no bytes or no usable offset.
  template <class Id>
  static std::optional<Bytes> place_of(const IdVector<Id, Bytes>& offsets, Id id, Bytes bytes) {
    if (id.index() >= offsets.size() || bytes == 0) return std::nullopt;
    const Bytes offset = offsets[id];
    if (offset < 0 || offset > kMaxBytes - bytes) return std::nullopt;
    return offset;
  }
  std::optional<Bytes> place_of(TensorId t) const {
    return place_of(plan_.offsets, t, graph_.bytes(t));
  }
  std::optional<Bytes> place_of_workspace(NodeId v) const {
    return place_of(plan_.workspace_offsets, v, graph_.workspace_bytes(v));
  }

  void occupy(Resident resident, std::optional<Bytes> offset, Bytes bytes) {
    if (!offset) return;
    if (const auto other = arena_.occupy(resident, *offset, bytes))
      result_.overlaps.push_back({step_, resident, *other});
  }

  void step(NodeId v) {
    for (TensorId t : graph_.inputs(v))
      if (is_planned(t) && state_[t] == kUnmade) result_.early_reads.push_back({v, t});
    for (TensorId t : graph_.outputs(v))
      if (!takes_over(t)) make(t);
    const Resident workspace{TensorId::none(), v};
    const auto place = place_of_workspace(v);
    occupy(workspace, place, graph_.workspace_bytes(v));
    if (place) arena_.release(workspace, *place);
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
    ++step_;
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
    occupy({t}, place_of(t), graph_.bytes(t));
  }

  void free_if_done(TensorId t) {
    if (!is_planned(t) || state_[t] != kLive || readers_left_[t] > 0 || graph_.is_output(t)) return;
    state_[t] = kDead;
    live_ -= graph_.bytes(t);
    if (const auto place = place_of(t)) arena_.release({t}, *place);
  }

  const Graph& graph_;
  const Plan& plan_;
  IdVector<TensorId, std::size_t> readers_left_;
  IdVector<TensorId, std::uint8_t> state_;
  IdVector<TensorId, TensorId> takes_bytes_of_;
  Arena arena_;
  Bytes live_ = 0;
  std::size_t step_ = 0;
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
