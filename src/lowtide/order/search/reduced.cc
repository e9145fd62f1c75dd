#include "lowtide/order/search/reduced.h"

#include <algorithm>
#include <array>
#include <functional>
#include <queue>

#include "lowtide/model/order_problem_builder.h"
#include "lowtide/order/greedy/list_schedule.h"

namespace lowtide {

Schedule Reduced::expand(const Schedule& schedule) const {
  Schedule expanded;
  expanded.reserve(runs.num_items());
  for (NodeId v : schedule) expanded.insert(expanded.end(), runs[v].begin(), runs[v].end());
  return expanded;
}

Schedule Reduced::reduce(const Schedule& schedule) const {
  std::size_t num_outer = 0;
  for (NodeId v : schedule) num_outer = std::max(num_outer, v.index() + 1);
  IdVector<NodeId, std::int64_t> position(num_outer, 0);
  for (std::size_t i = 0; i < schedule.size(); ++i)
    position[schedule[i]] = static_cast<std::int64_t>(i);
  IdVector<NodeId, std::int64_t> rank(problem.num_nodes(), 0);
  for (NodeId v : problem.nodes())
    if (!runs[v].empty()) rank[v] = position[runs[v].front()];
  return order_by_rank(problem, rank);
}

Reduced compose(const Reduced& outer, Reduced inner) {
  Csr<NodeId, NodeId> runs;
  std::vector<NodeId> row;
  for (NodeId v : inner.problem.nodes()) {
    row.clear();
    for (NodeId u : inner.runs[v])
      row.insert(row.end(), outer.runs[u].begin(), outer.runs[u].end());
    runs.push_row(row);
  }
  inner.runs = std::move(runs);
  return inner;
}

namespace {

class PieceMaker {
 public:
  PieceMaker(const OrderProblem& problem, const IdVector<NodeId, Part>& part)
      : problem_(problem), part_(part), renamed_(problem.num_nodes()) {}

  Reduced make() {
    for (NodeId v : problem_.nodes())
      if (part_[v] == Part::kPiece) add_node(v);
    for (NodeId v : problem_.nodes())
      if (part_[v] == Part::kPiece) add_dependencies(v);
    tensor_renamed_.resize(problem_.num_tensors());
    for (TensorId t : problem_.tensors()) add_tensor(t);
    if (always_live_ > 0) builder_.add_tensor(always_live_, NodeId::none(), true);
    for (NodeId v : problem_.nodes())
      if (part_[v] == Part::kPiece) add_reuses(v);
    piece_.problem = std::move(builder_).build();
    return std::move(piece_);
  }

 private:
  void add_node(NodeId v) {
    renamed_[v] = builder_.add_node(own_bytes(problem_, v), problem_.is_update[v] != 0);
    piece_.runs.push_row(std::array{v});
  }
  void add_dependencies(NodeId v) {
    for (NodeId p : problem_.predecessors[v])
      if (!renamed_[p].is_none()) builder_.add_dependency(renamed_[p], renamed_[v]);
  }
  void add_tensor(TensorId t) {
    const NodeId producer = problem_.producer[t];
    const Part made = producer.is_none() ? Part::kBefore : part_[producer];
    if (made == Part::kAfter) return;
    bool kept = problem_.kept[t] != 0;
    bool read = false;
    for (NodeId c : problem_.consumers[t]) {
      kept = kept || part_[c] == Part::kAfter;
      read = read || part_[c] == Part::kPiece;
    }
    if (made == Part::kBefore && kept) {
      always_live_ += problem_.bytes[t];
    } else if (kept || read || (made == Part::kPiece && !problem_.reuses[producer].empty())) {
      const NodeId maker = made == Part::kPiece ? renamed_[producer] : NodeId::none();
      tensor_renamed_[t] = builder_.add_tensor(problem_.bytes[t], maker, kept);
      for (NodeId c : problem_.consumers[t])
        if (part_[c] == Part::kPiece) builder_.add_reader(tensor_renamed_[t], renamed_[c]);
    }
  }
  // A pair whose `old` is read after the piece never takes effect in it.
  void add_reuses(NodeId v) {
    for (const Reuse& reuse : problem_.reuses[v]) {
      const auto consumers = problem_.consumers[reuse.old];
      if (std::any_of(consumers.begin(), consumers.end(),
                      [&](NodeId c) { return part_[c] == Part::kAfter; }))
        continue;
      builder_.add_reuse(renamed_[v], reuse_in_piece(reuse));
    }
  }
  Reuse reuse_in_piece(const Reuse& reuse) {
    return {tensor_renamed_[reuse.fresh], tensor_renamed_[reuse.old]};
  }

  const OrderProblem& problem_;
  const IdVector<NodeId, Part>& part_;
  IdVector<NodeId, NodeId> renamed_;
  IdVector<TensorId, TensorId> tensor_renamed_;
  Bytes always_live_ = 0;
  OrderProblemBuilder builder_;
  Reduced piece_;
};

// Kahn's algorithm, smallest number first. Shorter than the problem if there is a cycle.
std::vector<NodeId> topological_order(const std::vector<std::vector<NodeId>>& successors) {
  std::vector<int> waits_for(successors.size(), 0);
  for (const auto& row : successors)
    for (NodeId w : row) ++waits_for[w.index()];
  std::priority_queue<NodeId, std::vector<NodeId>, std::greater<>> ready;
  for (std::size_t v = 0; v < successors.size(); ++v)
    if (waits_for[v] == 0) ready.push(NodeId(v));
  std::vector<NodeId> order;
  while (!ready.empty()) {
    order.push_back(ready.top());
    ready.pop();
    for (NodeId w : successors[order.back().index()])
      if (--waits_for[w.index()] == 0) ready.push(w);
  }
  return order;
}

// The same problem, its nodes numbered in `order`, with the successors given.
Reduced renumbered(const OrderProblem& problem, const std::vector<NodeId>& order,
                   const std::vector<std::vector<NodeId>>& successors) {
  Reduced result;
  OrderProblemBuilder builder;
  IdVector<NodeId, NodeId> renamed(problem.num_nodes());
  for (NodeId v : order) {
    renamed[v] = builder.add_node(own_bytes(problem, v), problem.is_update[v] != 0);
    result.runs.push_row(std::array{v});
    for (const Reuse& reuse : problem.reuses[v]) builder.add_reuse(renamed[v], reuse);
  }
  for (NodeId v : order)
    for (NodeId w : successors[v.index()]) builder.add_dependency(renamed[v], renamed[w]);
  for (TensorId t : problem.tensors()) {
    const NodeId producer = problem.producer[t];
    builder.add_tensor(problem.bytes[t], producer.is_none() ? producer : renamed[producer],
                       problem.kept[t] != 0);
    for (NodeId c : problem.consumers[t]) builder.add_reader(t, renamed[c]);
  }
  result.problem = std::move(builder).build();
  return result;
}

}  // namespace

Reduced piece_between(const OrderProblem& problem, const IdVector<NodeId, Part>& part) {
  return PieceMaker(problem, part).make();
}

Reduced unreduced(const OrderProblem& problem) {
  Reduced whole{problem, {}};
  for (NodeId v : problem.nodes()) whole.runs.push_row(std::array{v});
  return whole;
}

std::optional<Reduced> with_precedences(const OrderProblem& problem,
                                        const std::vector<Precedence>& precedences) {
  std::vector<std::vector<NodeId>> successors(problem.num_nodes());
  for (NodeId v : problem.nodes())
    successors[v.index()].assign(problem.successors[v].begin(), problem.successors[v].end());
  for (const Precedence& p : precedences) successors[p.before.index()].push_back(p.after);
  const auto order = topological_order(successors);
  if (order.size() < problem.num_nodes()) return std::nullopt;
  return renumbered(problem, order, successors);
}

}  // namespace lowtide
