#include "lowtide/analysis/spans.h"

#include <algorithm>
#include <bit>

namespace lowtide {
namespace {

constexpr std::size_t kWord = 64;

// Nodes in a topological order along `before`: by number, or against it.
class Sweep {
 public:
  Sweep(const Csr<NodeId, NodeId>& before, bool ascending)
      : before_(before), ascending_(ascending), num_(before.num_rows()) {}

  // At least so many nodes run before each: the longest path that leads to it.
  IdVector<NodeId, Step> longest_paths(Meter* meter) const {
    IdVector<NodeId, Step> longest(num_, 0);
    for (std::size_t i = 0; i < num_; ++i) {
      const NodeId v = node(i);
      for (NodeId u : before_[v]) longest[v] = std::max(longest[v], longest[u] + 1);
    }
    meter->spend(work(0));
    return longest;
  }

  // How many nodes lead to each, or fewer where the meter stops it.
  IdVector<NodeId, Step> count(Meter* meter) const {
    IdVector<NodeId, Step> counted(num_, 0);
    IdVector<NodeId, std::uint64_t> reached_by(num_, 0);
    for (std::size_t first = 0; first < num_ && !meter->spend(work(first)); first += kWord)
      count_from(first, &reached_by, &counted);
    return counted;
  }

 private:
  NodeId node(std::size_t i) const { return NodeId(ascending_ ? i : num_ - 1 - i); }
  std::int64_t work(std::size_t first) const {
    const auto nodes = static_cast<std::int64_t>(num_ - first);
    return 1 + nodes +
           nodes * static_cast<std::int64_t>(before_.num_items()) / static_cast<std::int64_t>(num_);
  }

  // The nodes first .. first + 63 and whom they lead to; no earlier node can be among these.
  void count_from(std::size_t first, IdVector<NodeId, std::uint64_t>* reached_by,
                  IdVector<NodeId, Step>* counted) const {
    for (std::size_t i = first; i < num_; ++i) {
      const NodeId v = node(i);
      std::uint64_t reached = 0;
      for (NodeId u : before_[v])
        if (rank(u) >= first) reached |= (*reached_by)[u] | bit_of(u, first);
      (*reached_by)[v] = reached;
      (*counted)[v] += std::popcount(reached);
    }
  }
  std::size_t rank(NodeId v) const { return ascending_ ? v.index() : num_ - 1 - v.index(); }
  std::uint64_t bit_of(NodeId v, std::size_t first) const {
    const std::size_t place = rank(v) - first;
    return place < kWord ? std::uint64_t{1} << place : 0;
  }

  const Csr<NodeId, NodeId>& before_;
  bool ascending_;
  std::size_t num_;
};

// At least so many nodes run on the side of each that `before` leads to.
IdVector<NodeId, Step> run_before(const Csr<NodeId, NodeId>& before, bool ascending, Meter* meter) {
  const Sweep sweep(before, ascending);
  IdVector<NodeId, Step> least = sweep.longest_paths(meter);
  const IdVector<NodeId, Step> counted = sweep.count(meter);
  for (NodeId v : least.ids()) least[v] = std::max(least[v], counted[v]);
  return least;
}

Step latest(const OrderProblem& problem, TensorId t, const IdVector<NodeId, Step>& step,
            Step none) {
  Step last = none;
  for (NodeId c : problem.consumers[t]) last = std::max(last, step[c]);
  return last;
}

}  // namespace

Spans spans(const OrderProblem& problem, Meter* meter) {
  Spans spans;
  if (problem.num_nodes() == 0) return spans;
  spans.asap = run_before(problem.predecessors, true, meter);
  spans.alap = run_before(problem.successors, false, meter);
  spans.num_steps = static_cast<Step>(problem.num_nodes());
  for (Step& step : spans.alap) step = spans.num_steps - 1 - step;
  return spans;
}

Interval Spans::may_live(const OrderProblem& problem, TensorId t) const {
  const NodeId producer = problem.producer[t];
  const Step first = producer.is_none() ? 0 : asap[producer];
  const Step unread = producer.is_none() ? -1 : alap[producer];
  if (problem.kept[t]) return {first, num_steps};
  return {first, latest(problem, t, alap, unread) + 1};
}

Interval Spans::must_live(const OrderProblem& problem, TensorId t) const {
  const NodeId producer = problem.producer[t];
  const Step first = producer.is_none() ? 0 : alap[producer];
  const Step unread = producer.is_none() ? -1 : asap[producer];
  if (problem.kept[t]) return {first, num_steps};
  return {first, std::max(first, latest(problem, t, asap, unread) + 1)};
}

}  // namespace lowtide
