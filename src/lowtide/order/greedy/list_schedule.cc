#include "lowtide/order/greedy/list_schedule.h"

#include <queue>
#include <tuple>

#include "lowtide/order/greedy/live_set.h"

namespace lowtide {

void append_rest(const OrderProblem& problem, Schedule* schedule) {
  if (schedule->size() == problem.num_nodes()) return;
  IdVector<NodeId, std::uint8_t> done(problem.num_nodes(), 0);
  for (NodeId v : *schedule) done[v] = 1;
  for (NodeId v : problem.nodes())
    if (!done[v]) schedule->push_back(v);
}

Schedule order_by_rank(const OrderProblem& problem, const IdVector<NodeId, std::int64_t>& rank,
                       Meter* meter) {
  using Entry = std::pair<std::int64_t, NodeId>;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> ready;
  IdVector<NodeId, std::uint32_t> waits_for(problem.num_nodes(), 0);
  for (NodeId v : problem.nodes()) {
    waits_for[v] = static_cast<std::uint32_t>(problem.predecessors[v].size());
    if (waits_for[v] == 0) ready.emplace(rank[v], v);
  }
  Schedule schedule;
  schedule.reserve(problem.num_nodes());
  while (!ready.empty() && !meter->spend()) {
    const NodeId v = ready.top().second;
    ready.pop();
    schedule.push_back(v);
    for (NodeId w : problem.successors[v])
      if (--waits_for[w] == 0) ready.emplace(rank[w], w);
  }
  append_rest(problem, &schedule);
  return schedule;
}

// Updates before all else, then program order.
Schedule hoisted_order(const OrderProblem& problem, Meter* meter) {
  const auto n = static_cast<std::int64_t>(problem.num_nodes());
  IdVector<NodeId, std::int64_t> rank(problem.num_nodes(), 0);
  for (NodeId v : problem.nodes())
    rank[v] = static_cast<std::int64_t>(v.index()) - (problem.is_update[v] ? n : 0);
  return order_by_rank(problem, rank, meter);
}

namespace {

// Ready nodes by growth, least first. Growth only falls while a node waits, so an entry is pushed
// anew when it does and stale ones are dropped when they surface.
class Greedy {
 public:
  Greedy(const OrderProblem& problem, Bytes budget, Meter* meter)
      : problem_(problem),
        budget_(budget),
        meter_(meter),
        state_(problem),
        done_(problem.num_nodes(), 0) {
    for (NodeId v : problem.nodes())
      if (state_.is_ready(v)) push(v);
  }

  Schedule run() {
    Schedule schedule;
    while (schedule.size() < problem_.num_nodes() && !meter_->spend()) {
      const NodeId v = take();
      done_[v] = 1;
      schedule.push_back(v);
      state_.run(v);
      for (NodeId w : state_.newly_ready()) push(w);
      for (NodeId w : state_.cheaper())
        if (!done_[w] && state_.is_ready(w)) push(w);
    }
    append_rest(problem_, &schedule);
    return schedule;
  }

 private:
  struct Entry {
    Bytes growth;
    Bytes transient;
    NodeId node;
    bool operator>(const Entry& other) const {
      return std::tie(growth, transient, node) >
             std::tie(other.growth, other.transient, other.node);
    }
  };
  // How many ready nodes may be passed over for one that fits; more cost time and help nobody.
  static constexpr std::size_t kLookahead = 64;

  void push(NodeId v) { ready_.push({state_.growth(v), state_.transient(v), v}); }
  bool is_stale(const Entry& entry) const {
    return done_[entry.node] || entry.growth != state_.growth(entry.node);
  }
  bool fits(const Entry& entry) const {
    return state_.live() + state_.transient(entry.node) <= std::max(budget_, state_.peak());
  }

  // The least growth among those that fit the budget; if none fits, the least transient.
  NodeId take() {
    std::vector<Entry> passed;
    NodeId chosen;
    while (!ready_.empty() && passed.size() < kLookahead) {
      const Entry entry = ready_.top();
      ready_.pop();
      if (is_stale(entry)) continue;
      if (fits(entry)) {
        chosen = entry.node;
        break;
      }
      passed.push_back(entry);
    }
    if (chosen.is_none()) {
      std::size_t least = 0;
      for (std::size_t i = 1; i < passed.size(); ++i)
        if (state_.transient(passed[i].node) < state_.transient(passed[least].node)) least = i;
      chosen = passed[least].node;
    }
    for (const Entry& entry : passed)
      if (entry.node != chosen) ready_.push(entry);
    return chosen;
  }

  const OrderProblem& problem_;
  Bytes budget_;
  Meter* meter_;
  LiveSet state_;
  IdVector<NodeId, std::uint8_t> done_;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> ready_;
};

}  // namespace

Schedule greedy_order(const OrderProblem& problem, Bytes budget, Meter* meter) {
  return Greedy(problem, budget, meter).run();
}

}  // namespace lowtide
