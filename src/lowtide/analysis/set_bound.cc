#include "lowtide/analysis/set_bound.h"

#include <algorithm>
#include <queue>
#include <utility>

#include "lowtide/analysis/node_cut.h"
#include "lowtide/analysis/node_set.h"

namespace lowtide {
namespace {

using Flags = IdVector<NodeId, std::uint8_t>;

// Directions, with regard to the end that counts: from a node into what has to come before the last
// node of a set, or after the first; and out of it.
const Csr<NodeId, NodeId>& inward(const OrderProblem& problem, SetEnd end) {
  return end == SetEnd::kLast ? problem.predecessors : problem.successors;
}
const Csr<NodeId, NodeId>& outward(const OrderProblem& problem, SetEnd end) {
  return end == SetEnd::kLast ? problem.successors : problem.predecessors;
}
Side inner_side(SetEnd end) { return end == SetEnd::kLast ? Side::kIn : Side::kOut; }
Side outer_side(SetEnd end) { return end == SetEnd::kLast ? Side::kOut : Side::kIn; }

// Whatever the nodes reach along the edges.
Flags reachable_from(const Csr<NodeId, NodeId>& edges, std::vector<NodeId> nodes) {
  Flags reached(edges.num_rows(), 0);
  while (!nodes.empty()) {
    const NodeId v = nodes.back();
    nodes.pop_back();
    for (NodeId w : edges[v])
      if (!std::exchange(reached[w], 1)) nodes.push_back(w);
  }
  return reached;
}

// What v needs if it is the last, or first, of the set; which is closed inwards.
NodeCut cut_of(const OrderProblem& problem, const Flags& set, SetEnd end, NodeId v, Meter* meter) {
  IdVector<NodeId, Side> side(problem.num_nodes(), Side::kFree);
  for (NodeId u : problem.nodes())
    if (set[u]) side[u] = inner_side(end);
  for (NodeId u : reachable(outward(problem, end), v)) side[u] = outer_side(end);
  side[v] = Side::kOut;
  std::vector<NodeId> free;
  for (NodeId u : problem.nodes())
    if (side[u] == Side::kFree) free.push_back(u);
  return {problem, v, meter, std::move(side), std::move(free)};
}

// At least `known`; exact below `enough`.
Bytes bound_by_cuts(const OrderProblem& problem, const Flags& set, SetEnd end, Bytes known,
                    Bytes enough, Meter* meter) {
  bool has_end = false;
  Bytes least = enough;
  for (NodeId v : problem.nodes()) {
    const auto beyond = outward(problem, end)[v];
    const bool is_end =
        set[v] && std::none_of(beyond.begin(), beyond.end(), [&](NodeId w) { return set[w] != 0; });
    if (!is_end) continue;
    has_end = true;
    least = std::min(least, cut_of(problem, set, end, v, meter).run(meter, least));
    if (least <= known || meter->stopped()) return known;
  }
  return has_end ? least : known;
}

using Need = std::pair<Bytes, NodeId>;  // the least first
using Needs = std::priority_queue<Need, std::vector<Need>, std::greater<>>;

// Peels the set; see the header.
class Peel {
 public:
  Peel(const OrderProblem& problem, NodeId join, SetEnd end)
      : problem_(problem),
        end_(end),
        side_(problem.num_nodes(), Side::kFree),
        waits_for_(problem.num_nodes(), 0),
        holds_(problem.num_tensors(), 0),
        place_(problem.num_nodes(), 0) {
    set_ = reachable(inward(problem, end), join);
    for (NodeId v : set_) side_[v] = inner_side(end);
    for (NodeId v : reachable(outward(problem, end), join)) side_[v] = outer_side(end);
    side_[join] = outer_side(end);
    for (NodeId v : set_)
      for (NodeId w : inward(problem, end)[v]) ++waits_for_[w];
    for (TensorId t : problem.tensors()) {
      holds_[t] = count_holds(t);
      if (holds_[t] > 0) held_ += problem.bytes[t];
    }
  }

  // The most that any set needs.
  Bytes run(Meter* meter) {
    Needs ready;
    const auto add = [&](NodeId v) { ready.emplace(extra(v), v); };
    for (NodeId v : set_)
      if (waits_for_[v] == 0) add(v);
    for (int place = 0; !ready.empty(); ++place) {
      if (meter->spend()) return best_;
      const auto [least, v] = ready.top();
      ready.pop();
      if (held_ + least > best_) {
        best_ = held_ + least;
        best_place_ = place;
      }
      place_[v] = place;
      take_out(v);
      for (NodeId w : inward(problem_, end_)[v])
        if (--waits_for_[w] == 0) add(w);
    }
    return best_;
  }

  // After run().
  Flags best_set() const {
    Flags members(problem_.num_nodes(), 0);
    for (NodeId v : set_) members[v] = place_[v] >= best_place_;
    return members;
  }

 private:
  // How many members have to be taken out until t is not surely live: the one that makes it, or
  // all that read it. An input that waits for the join, or a kept one, stays.
  int count_holds(TensorId t) const {
    const NodeId producer = problem_.producer[t];
    const bool is_made = producer.is_none() || side_[producer] == Side::kIn;
    if (!is_made) return 0;
    const auto readers = problem_.consumers[t];
    const auto waiting = std::count_if(readers.begin(), readers.end(),
                                       [&](NodeId c) { return side_[c] == Side::kOut; });
    const auto reasons = static_cast<int>(waiting) + (problem_.kept[t] ? 1 : 0);
    return end_ == SetEnd::kLast ? std::min(reasons, 1) : reasons;
  }

  Bytes extra(NodeId v) const {
    Bytes bytes = problem_.workspace_bytes[v];
    for (const auto& tensors : {problem_.inputs[v], problem_.outputs[v]})
      for (TensorId t : tensors)
        if (holds_[t] == 0) bytes += problem_.bytes[t];
    for (const Reuse& reuse : problem_.reuses[v]) bytes -= problem_.bytes[reuse.fresh];
    return bytes;
  }

  void take_out(NodeId v) {
    for (TensorId t : end_ == SetEnd::kLast ? problem_.outputs[v] : problem_.inputs[v])
      if (holds_[t] > 0 && --holds_[t] == 0) held_ -= problem_.bytes[t];
  }

  const OrderProblem& problem_;
  SetEnd end_;
  IdVector<NodeId, Side> side_;      // of the join: before it, after it, neither
  std::vector<NodeId> set_;          // at first
  IdVector<NodeId, int> waits_for_;  // members that have to be taken out before
  IdVector<TensorId, int> holds_;
  IdVector<NodeId, int> place_;  // in the order of taking out
  Bytes held_ = 0;               // L(S)
  Bytes best_ = 0;
  int best_place_ = 0;
};

// What the node needs by itself.
Bytes need_of(const OrderProblem& problem, NodeId v) {
  Bytes bytes = own_bytes(problem, v);
  for (TensorId t : problem.inputs[v]) bytes += problem.bytes[t];
  return bytes;
}

}  // namespace

Bytes set_bound(const OrderProblem& problem, NodeId join, SetEnd end, Bytes known, Bytes enough,
                Meter* meter) {
  if (meter->spend(static_cast<std::int64_t>(problem.num_nodes()))) return known;
  Peel peel(problem, join, end);
  known = std::max(known, peel.run(meter));
  if (known >= enough || meter->stopped()) return known;
  return bound_by_cuts(problem, peel.best_set(), end, known, enough, meter);
}

Bytes set_bound(const OrderProblem& problem, const std::vector<NodeId>& set, SetEnd end,
                Bytes known, Bytes enough, Meter* meter) {
  if (meter->spend(static_cast<std::int64_t>(problem.num_nodes()))) return known;
  Flags closed = reachable_from(inward(problem, end), set);
  for (NodeId v : set) closed[v] = 1;
  return bound_by_cuts(problem, closed, end, known, enough, meter);
}

std::vector<std::vector<NodeId>> needy_sets(const OrderProblem& problem, std::size_t levels,
                                            Meter* meter) {
  std::vector<Need> by_need;
  for (NodeId v : problem.nodes()) by_need.emplace_back(-need_of(problem, v), v);
  std::sort(by_need.begin(), by_need.end());
  std::vector<std::vector<NodeId>> sets;
  std::vector<NodeId> level;
  const auto add = [&](const Flags& covered) {
    std::vector<NodeId> set;
    for (NodeId v : level)
      if (!covered[v]) set.push_back(v);
    sets.push_back(std::move(set));
  };
  for (std::size_t i = 0; i < by_need.size() && levels > 0; ++i) {
    level.push_back(by_need[i].second);
    if (i + 1 < by_need.size() && by_need[i + 1].first == by_need[i].first) continue;
    if (meter->spend(static_cast<std::int64_t>(problem.num_nodes()))) break;
    --levels;
    if (level.size() < 2) continue;
    add(reachable_from(problem.predecessors, level));
    add(reachable_from(problem.successors, level));
  }
  return sets;
}

}  // namespace lowtide
