#include "lowtide/model/order_problem_builder.h"

#include <algorithm>

#include "lowtide/base/check.h"

namespace lowtide {
namespace {

// Rows sorted, without duplicates. Two transpositions sort: linear, where a million pairs would
// take a comparison sort most of the builder's time.
template <class From, class To>
Csr<From, To> sorted_rows(std::size_t num_rows, std::size_t num_to,
                          const std::vector<std::pair<From, To>>& pairs) {
  const auto sorted =
      Csr<From, To>::from_pairs(num_rows, pairs).transposed(num_to).transposed(num_rows);
  Csr<From, To> rows;
  std::vector<To> row;
  for (From from : IdRange<From>(num_rows)) {
    row.assign(sorted[from].begin(), sorted[from].end());
    row.erase(std::unique(row.begin(), row.end()), row.end());
    rows.push_row(row);
  }
  return rows;
}

}  // namespace

NodeId OrderProblemBuilder::add_node(Bytes need_bytes, bool is_update) {
  need_.push_back(need_bytes);
  return NodeId(problem_.is_update.push_back(is_update ? 1 : 0));
}

void OrderProblemBuilder::add_dependency(NodeId before, NodeId after) {
  LOWTIDE_CHECK(before < after, "nodes of an order problem are numbered in a legal order");
  successors_.emplace_back(before, after);
}

TensorId OrderProblemBuilder::add_tensor(Bytes bytes, NodeId producer, bool kept) {
  problem_.producer.push_back(producer);
  problem_.kept.push_back(kept ? 1 : 0);
  return problem_.bytes.push_back(bytes);
}

void OrderProblemBuilder::add_reader(TensorId tensor, NodeId reader) {
  readers_.emplace_back(tensor, reader);
}

void OrderProblemBuilder::add_reuse(NodeId node, Reuse reuse) { reuses_.emplace_back(node, reuse); }

OrderProblem OrderProblemBuilder::build() && {
  const std::size_t num_nodes = need_.size();
  problem_.successors = sorted_rows(num_nodes, num_nodes, successors_);
  problem_.predecessors = problem_.successors.transposed(num_nodes);
  problem_.consumers = sorted_rows(problem_.num_tensors(), num_nodes, readers_);
  problem_.inputs = problem_.consumers.transposed(num_nodes);
  problem_.reuses = Csr<NodeId, Reuse>::from_pairs(num_nodes, reuses_);
  std::vector<std::pair<NodeId, TensorId>> outputs;
  for (TensorId t : problem_.tensors()) {
    const NodeId producer = problem_.producer[t];
    if (producer.is_none()) continue;
    outputs.emplace_back(producer, t);
    need_[producer.index()] -= problem_.bytes[t];
  }
  problem_.outputs = Csr<NodeId, TensorId>::from_pairs(num_nodes, outputs);
  problem_.workspace_bytes = IdVector<NodeId, Bytes>(std::move(need_));
  return std::move(problem_);
}

}  // namespace lowtide
