#include "lowtide/analysis/lower_bounds.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "lowtide/analysis/node_cut.h"
#include "lowtide/model/lifetimes.h"

namespace lowtide {
namespace {

// Visits nodes by what they need in `schedule`, most first, while that is more than `best()`.
template <class Best, class Visit>
void visit_by_need(const OrderProblem& problem, const Schedule& schedule, Meter* meter,
                   const Best& best, const Visit& visit) {
  if (meter->stopped()) return;
  const auto needed = profile(problem, schedule);
  std::vector<std::size_t> by_need(schedule.size());
  std::iota(by_need.begin(), by_need.end(), 0);
  const auto less = [&](std::size_t a, std::size_t b) {
    return needed[a] != needed[b] ? needed[a] < needed[b] : a > b;
  };
  // A heap, for only a handful is visited.
  std::make_heap(by_need.begin(), by_need.end(), less);
  meter->spend(static_cast<std::int64_t>(schedule.size()));
  for (; !by_need.empty() && !meter->stopped(); by_need.pop_back()) {
    std::pop_heap(by_need.begin(), by_need.end(), less);
    if (needed[by_need.back()] <= best()) break;
    visit(schedule[by_need.back()]);
  }
}

template <class Bound>
Bytes largest(const OrderProblem& problem, const Schedule& schedule, Meter* meter,
              const Bound& bound) {
  Bytes best = 0;
  visit_by_need(
      problem, schedule, meter, [&] { return best; },
      [&](NodeId v) { best = std::max(best, bound(v)); });
  return best;
}

}  // namespace

Bytes own_bound(const OrderProblem& problem) {
  Bytes most = 0;
  for (NodeId v : problem.nodes()) {
    Bytes needed = own_bytes(problem, v);
    for (TensorId t : problem.inputs[v]) needed += problem.bytes[t];
    for (const Reuse& reuse : problem.reuses[v]) needed -= problem.bytes[reuse.fresh];
    most = std::max(most, needed);
  }
  return most;
}

Bytes reachability_bound(const OrderProblem& problem, NodeId v) {
  Meter unlimited{Limits()};
  return NodeCut(problem, v, &unlimited).bound();
}

Bytes node_bound(const OrderProblem& problem, NodeId v, Meter* meter) {
  return NodeCut(problem, v, meter).run(meter);
}

Bytes reachability_bound(const OrderProblem& problem, const Schedule& schedule, Meter* meter) {
  return largest(problem, schedule, meter,
                 [&](NodeId v) { return NodeCut(problem, v, meter).bound(); });
}

Bytes node_bound(const OrderProblem& problem, const Schedule& schedule, Meter* meter) {
  NodeBounds bounds(problem);
  bounds.raise(schedule, std::numeric_limits<int>::max(), meter);
  return bounds.best();
}

// The flow, and its minimiser for the others.
void NodeBounds::compute(NodeId v, Meter* meter) {
  NodeCut cut(problem_, v, meter);
  at_most_[v] = cut.run(meter);
  looked_at_[v] = ++flows_;
  if (at_most_[v] > best_) {
    best_ = at_most_[v];
    node_ = v;
  }
  if (cut.is_maximal() && !meter->stopped()) stand_at(cut.minimiser(Minimiser::kSmallest));
}

void NodeBounds::stand_at(const IdVector<NodeId, std::uint8_t>& set) {
  if (!near_) near_.emplace(problem_);
  for (NodeId u : problem_.nodes())
    if (near_->contains(u) != (set[u] != 0)) set[u] ? near_->insert(u) : near_->erase(u);
  near_->settle();
}

// Whether v needs less next to the last minimiser than was known.
bool NodeBounds::look_near(NodeId v, Meter* meter) {
  if (!near_ || looked_at_[v] == flows_) return false;
  looked_at_[v] = flows_;
  const bool inside = near_->contains(v);
  const auto& edges = inside ? problem_.successors : problem_.predecessors;
  std::vector<NodeId> changed = {v};
  if (inside) near_->erase(v);
  for (std::size_t i = 0; i < changed.size(); ++i)
    for (NodeId w : edges[changed[i]]) {
      if (near_->contains(w) != inside) continue;
      inside ? near_->erase(w) : near_->insert(w);
      changed.push_back(w);
    }
  const Bytes needed = near_->cost(v);
  near_->rewind(0);
  meter->spend(static_cast<std::int64_t>(2 * changed.size()));
  if (needed >= at_most_[v]) return false;
  at_most_[v] = needed;
  return true;
}

std::vector<NodeId> NodeBounds::dearest(std::size_t count) const {
  std::vector<NodeId> nodes;
  for (NodeId v : at_most_.ids()) nodes.push_back(v);
  const auto end = nodes.begin() + static_cast<std::ptrdiff_t>(std::min(count, nodes.size()));
  std::partial_sort(nodes.begin(), end, nodes.end(), [&](NodeId a, NodeId b) {
    return at_most_[a] != at_most_[b] ? at_most_[a] > at_most_[b] : a < b;
  });
  nodes.erase(end, nodes.end());
  return nodes;
}

bool NodeBounds::raise(const Schedule& schedule, int max_flows, Meter* meter) {
  const auto needed = profile(problem_, schedule);
  using Entry = std::pair<Bytes, std::size_t>;  // what the node at that step needs at most
  std::vector<Entry> queue;
  for (std::size_t i = 0; i < schedule.size(); ++i) {
    Bytes& at_most = at_most_[schedule[i]];
    at_most = std::min(at_most, needed[i]);
    if (at_most > best_) queue.emplace_back(at_most, schedule.size() - i);
  }
  std::make_heap(queue.begin(), queue.end());
  meter->spend(static_cast<std::int64_t>(schedule.size()));
  while (!queue.empty() && queue.front().first > best_ && !meter->stopped()) {
    const NodeId v = schedule[schedule.size() - queue.front().second];
    std::pop_heap(queue.begin(), queue.end());
    if (look_near(v, meter)) {
      queue.back().first = at_most_[v];
      std::push_heap(queue.begin(), queue.end());
      continue;
    }
    queue.pop_back();
    if (max_flows-- <= 0) return false;
    compute(v, meter);
  }
  return !meter->stopped();
}

}  // namespace lowtide
