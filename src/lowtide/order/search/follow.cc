#include "lowtide/order/search/follow.h"

#include <algorithm>
#include <functional>
#include <queue>

namespace lowtide {
namespace {

// How many nodes may be passed over for one that fits: more cost time and help nobody.
constexpr std::size_t kLookahead = 16;

class Follower {
 public:
  Follower(const OrderProblem& problem, const Schedule& ranking, const FollowGoal& goal,
           Direction direction, Meter* meter)
      : problem_(problem),
        goal_(goal),
        forward_(direction == Direction::kForward),
        meter_(meter),
        walk_(problem, direction),
        rank_(problem.num_nodes(), 0) {
    std::int64_t rank = 0;
    for (NodeId v : ranking) rank_[v] = rank++;
    for (NodeId v : walk_.ready()) push(v);
  }

  std::optional<Schedule> run() {
    while (!walk_.is_complete()) {
      if (meter_->spend()) return std::nullopt;
      const NodeId quiet = next_quiet();
      const NodeId v = quiet.is_none() ? next_in_ranking() : quiet;
      if (walk_.cost(v) >= goal_.below) return std::nullopt;
      step(v);
    }
    Schedule order = walk_.path();
    if (!forward_) std::reverse(order.begin(), order.end());
    return order;
  }

 private:
  using Entry = std::pair<std::int64_t, NodeId>;

  bool fits(NodeId v) const { return walk_.cost(v) <= goal_.budget; }
  void push(NodeId v) { waiting_.emplace(rank_[v], v); }

  NodeId next_quiet() const {
    NodeId next;
    const std::size_t end = std::min(walk_.quiet().size(), kLookahead);
    for (std::size_t i = 0; i < end; ++i) {
      const NodeId v = walk_.quiet()[i];
      if (fits(v) && (next.is_none() || rank_[v] < rank_[next])) next = v;
    }
    return next;
  }

  // The first that fits; else, of those passed over, the one that needs least.
  NodeId next_in_ranking() {
    std::vector<NodeId> passed;
    while (!waiting_.empty() && passed.size() < kLookahead) {
      const NodeId v = waiting_.top().second;
      waiting_.pop();
      if (!walk_.is_ready(v)) continue;  // has run as a quiet one
      passed.push_back(v);
      if (fits(v)) break;
    }
    meter_->spend(static_cast<std::int64_t>(passed.size()));
    const NodeId chosen =
        fits(passed.back()) ? passed.back()
                            : *std::min_element(passed.begin(), passed.end(), [&](auto a, auto b) {
                                return walk_.cost(a) < walk_.cost(b);
                              });
    for (NodeId v : passed)
      if (v != chosen) push(v);
    return chosen;
  }

  void step(NodeId v) {
    walk_.step(v);
    const auto& next = forward_ ? problem_.successors : problem_.predecessors;
    for (NodeId w : next[v])
      if (walk_.is_ready(w)) push(w);
  }

  const OrderProblem& problem_;
  FollowGoal goal_;
  bool forward_;
  Meter* meter_;
  Walk walk_;
  IdVector<NodeId, std::int64_t> rank_;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> waiting_;
};

}  // namespace

std::optional<Schedule> follow(const OrderProblem& problem, const Schedule& ranking,
                               const FollowGoal& goal, Direction direction, Meter* meter) {
  return Follower(problem, ranking, goal, direction, meter).run();
}

}  // namespace lowtide
