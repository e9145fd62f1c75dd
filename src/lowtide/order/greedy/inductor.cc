#include "lowtide/order/greedy/inductor.h"

#include <algorithm>
#include <queue>
#include <utility>
#include <vector>

#include "lowtide/order/greedy/list_schedule.h"

namespace lowtide {
namespace {

// The steps at which a node's predecessors ran, ascending; then its number.
using Earliness = std::pair<std::vector<Step>, NodeId>;

Earliness earliness(const OrderProblem& problem, const IdVector<NodeId, Step>& step, NodeId v) {
  std::vector<Step> steps;
  for (NodeId u : problem.predecessors[v]) steps.push_back(step[u]);
  std::sort(steps.begin(), steps.end());
  return {std::move(steps), v};
}

// Depth first, without recursion: a chain of 10^6 nodes is no deep stack.
class DepthFirst {
 public:
  DepthFirst(const OrderProblem& problem, Meter* meter)
      : problem_(problem),
        meter_(meter),
        traffic_(problem.num_nodes(), 0),
        seen_(problem.num_nodes(), 0) {
    for (NodeId v : problem.nodes()) {
      for (TensorId t : problem.inputs[v]) traffic_[v] += problem.bytes[t];
      for (TensorId t : problem.outputs[v]) traffic_[v] += problem.bytes[t];
    }
  }

  Schedule run() {
    std::vector<NodeId> roots;
    for (NodeId v : problem_.nodes()) roots.push_back(v);
    sort_by_traffic(&roots);
    for (NodeId root : roots) {
      if (meter_->stopped()) break;
      visit(root);
    }
    append_rest(problem_, &schedule_);
    return std::move(schedule_);
  }

 private:
  struct Frame {
    NodeId node;
    std::vector<NodeId> needs;  // predecessors, least traffic first
    std::size_t next = 0;
  };

  void sort_by_traffic(std::vector<NodeId>* nodes) const {
    std::sort(nodes->begin(), nodes->end(), [&](NodeId a, NodeId b) {
      return std::pair(traffic_[a], a) < std::pair(traffic_[b], b);
    });
  }

  void enter(NodeId v) {
    if (std::exchange(seen_[v], 1)) return;
    const auto row = problem_.predecessors[v];
    Frame frame{v, {row.begin(), row.end()}};
    sort_by_traffic(&frame.needs);
    path_.push_back(std::move(frame));
  }

  void visit(NodeId root) {
    enter(root);
    while (!path_.empty() && !meter_->spend()) {
      Frame& top = path_.back();
      if (top.next < top.needs.size()) {
        enter(top.needs[top.next++]);  // may move `top`
      } else {
        schedule_.push_back(top.node);
        path_.pop_back();
      }
    }
  }

  const OrderProblem& problem_;
  Meter* meter_;
  IdVector<NodeId, Bytes> traffic_;
  IdVector<NodeId, std::uint8_t> seen_;
  std::vector<Frame> path_;
  Schedule schedule_;
};

}  // namespace

// Greedy whose budget is nothing but the peak so far.
Schedule lpmf_order(const OrderProblem& problem, Meter* meter) {
  return greedy_order(problem, 0, meter);
}

Schedule bfs_order(const OrderProblem& problem, Meter* meter) {
  IdVector<NodeId, std::size_t> waits_for(problem.num_nodes(), 0);
  IdVector<NodeId, Step> step(problem.num_nodes(), 0);
  std::priority_queue<Earliness, std::vector<Earliness>, std::greater<>> ready;
  for (NodeId v : problem.nodes()) {
    waits_for[v] = problem.predecessors[v].size();
    if (waits_for[v] == 0) ready.push({{}, v});
  }
  Schedule schedule;
  while (!ready.empty() && !meter->spend()) {
    const NodeId v = ready.top().second;
    ready.pop();
    step[v] = static_cast<Step>(schedule.size());
    schedule.push_back(v);
    for (NodeId w : problem.successors[v])
      if (--waits_for[w] == 0) ready.push(earliness(problem, step, w));
  }
  append_rest(problem, &schedule);
  return schedule;
}

Schedule dfs_order(const OrderProblem& problem, Meter* meter) {
  return DepthFirst(problem, meter).run();
}

}  // namespace lowtide
