#include "lowtide/analysis/set_bound.h"

#include <algorithm>
#include <queue>
#include <utility>

#include "lowtide/analysis/node_cut.h"
#include "lowtide/analysis/node_set.h"

namespace lowtide {
namespace {

using Need = std::pair<Bytes, NodeId>;  // the least first
using Needs = std::priority_queue<Need, std::vector<Need>, std::greater<>>;

// Peels the set; see the header.
class Peel {
 public:
  Peel(const OrderProblem& problem, NodeId join, SetEnd end)
      : problem_(problem),
        is_last_(end == SetEnd::kLast),
        side_(problem.num_nodes(), Side::kFree),
        waits_for_(problem.num_nodes(), 0),
        holds_(problem.num_tensors(), 0),
        place_(problem.num_nodes(), 0) {
    set_ = reachable(inward(), join);
    for (NodeId v : set_) side_[v] = member_side();
    for (NodeId v : reachable(outward(), join)) side_[v] = other_side();
    side_[join] = other_side();
    for (NodeId v : set_)
      for (NodeId w : inward()[v]) ++waits_for_[w];
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
      for (NodeId w : inward()[v])
        if (--waits_for_[w] == 0) add(w);
    }
    return best_;
  }

  // After run(): the members of the best set that may be its last, or first.
  std::vector<NodeId> ends() const {
    std::vector<NodeId> nodes;
    for (NodeId v : set_)
      if (is_member(v) && std::none_of(outward()[v].begin(), outward()[v].end(),
                                       [&](NodeId w) { return is_member(w); }))
        nodes.push_back(v);
    return nodes;
  }

  // What v needs if it is the last, or first, of the best set.
  NodeCut cut(NodeId v, Meter* meter) const {
    IdVector<NodeId, Side> side(problem_.num_nodes(), Side::kFree);
    for (NodeId u : set_)
      if (is_member(u)) side[u] = member_side();
    for (NodeId u : reachable(outward(), v)) side[u] = other_side();
    side[v] = Side::kOut;
    std::vector<NodeId> free;
    for (NodeId u : problem_.nodes())
      if (side[u] == Side::kFree) free.push_back(u);
    return {problem_, v, meter, std::move(side), std::move(free)};
  }

 private:
  // From a member on into the set, and out of it past the join.
  const Csr<NodeId, NodeId>& inward() const {
    return is_last_ ? problem_.predecessors : problem_.successors;
  }
  const Csr<NodeId, NodeId>& outward() const {
    return is_last_ ? problem_.successors : problem_.predecessors;
  }
  Side member_side() const { return is_last_ ? Side::kIn : Side::kOut; }
  Side other_side() const { return is_last_ ? Side::kOut : Side::kIn; }
  bool is_in_set(NodeId v) const { return side_[v] == member_side(); }
  bool is_member(NodeId v) const { return is_in_set(v) && place_[v] >= best_place_; }

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
    return is_last_ ? std::min(reasons, 1) : reasons;
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
    for (TensorId t : is_last_ ? problem_.outputs[v] : problem_.inputs[v])
      if (holds_[t] > 0 && --holds_[t] == 0) held_ -= problem_.bytes[t];
  }

  const OrderProblem& problem_;
  bool is_last_;
  IdVector<NodeId, Side> side_;      // of the join: before it, after it, neither
  std::vector<NodeId> set_;          // at first
  IdVector<NodeId, int> waits_for_;  // members that have to be taken out before
  IdVector<TensorId, int> holds_;
  IdVector<NodeId, int> place_;  // in the order of taking out
  Bytes held_ = 0;               // L(S)
  Bytes best_ = 0;
  int best_place_ = 0;
};

}  // namespace

Bytes set_bound(const OrderProblem& problem, NodeId join, SetEnd end, Bytes enough, Meter* meter) {
  if (meter->spend(static_cast<std::int64_t>(problem.num_nodes()))) return 0;
  Peel peel(problem, join, end);
  const Bytes bound = peel.run(meter);
  if (bound >= enough || meter->stopped()) return bound;
  const auto ends = peel.ends();
  if (ends.empty()) return bound;
  Bytes least = enough;
  for (auto v = ends.begin(); v != ends.end() && least > bound; ++v) {
    least = std::min(least, peel.cut(*v, meter).run(meter, least));
    if (meter->stopped()) return bound;
  }
  return std::max(bound, least);
}

}  // namespace lowtide
