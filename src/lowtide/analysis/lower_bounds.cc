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

bool NodeBounds::raise(const Schedule& schedule, int max_flows, Meter* meter) {
  bool complete = true;
  visit_by_need(
      problem_, schedule, meter, [&] { return complete ? best_ : kMaxBytes; },
      [&](NodeId v) {
        if (known_[v] != kUnknown) return;
        complete = max_flows-- > 0;
        if (!complete) return;
        NodeCut cut(problem_, v, meter);
        known_[v] = cut.run(meter);
        if (known_[v] > best_) {
          best_ = known_[v];
          node_ = v;
        }
      });
  return complete && !meter->stopped();
}

}  // namespace lowtide
