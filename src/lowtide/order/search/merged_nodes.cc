#include "lowtide/order/search/merged_nodes.h"

#include <algorithm>

#include "lowtide/model/order_problem_builder.h"

namespace lowtide {

MergedNodes::MergedNodes(const OrderProblem& problem)
    : problem_(problem),
      parent_(problem.num_nodes()),
      predecessors_(lists_of(problem.predecessors)),
      successors_(lists_of(problem.successors)),
      run_head_(problem.num_nodes()),
      run_tail_(problem.num_nodes()),
      run_next_(problem.num_nodes()),
      need_(problem.num_nodes(), 0),
      surviving_(problem.num_nodes(), 0),
      only_read_by_(problem.num_nodes(), 0),
      stamp_(problem.num_nodes(), 0) {
  for (NodeId v : problem.nodes()) {
    parent_[v] = run_head_[v] = run_tail_[v] = v;
    need_[v] = own_bytes(problem, v);
  }
  std::vector<TensorId> all;
  for (TensorId t : problem.tensors()) all.push_back(t);
  account(all, 1);
}

NodeId MergedNodes::find(NodeId v) const {
  while (parent_[v] != v) v = parent_[v] = parent_[parent_[v]];
  return v;
}

std::vector<NodeId> MergedNodes::run_of(NodeId v) const {
  std::vector<NodeId> run;
  for (NodeId member = run_head_[v]; !member.is_none(); member = run_next_[member])
    run.push_back(member);
  return run;
}

void MergedNodes::merge_before(NodeId v, NodeId into, Bytes need) {
  merge(v, into, need);
  run_next_[run_tail_[v]] = run_head_[into];
  run_head_[into] = run_head_[v];
}

void MergedNodes::merge_after(NodeId v, NodeId into, Bytes need) {
  merge(v, into, need);
  run_next_[run_tail_[into]] = run_head_[v];
  run_tail_[into] = run_tail_[v];
}

// The tensors of v change their users; no other tensor does.
void MergedNodes::merge(NodeId v, NodeId into, Bytes need) {
  std::vector<TensorId> touched;
  const auto touch = [&](TensorId t) {
    touched.push_back(t);
    return true;
  };
  for_each_tensor(v, problem_.inputs, touch);
  for_each_tensor(v, problem_.outputs, touch);
  std::sort(touched.begin(), touched.end());
  touched.erase(std::unique(touched.begin(), touched.end()), touched.end());
  account(touched, -1);
  parent_[v] = into;
  account(touched, 1);
  need_[into] = need;
  link(&predecessors_, v, into);
  link(&successors_, v, into);
}

// Stops at the second reader: a scan is short even for a tensor that thousands read.
MergedNodes::Use MergedNodes::use_of(TensorId t) const {
  const NodeId producer = problem_.producer[t];
  const NodeId maker = producer.is_none() ? producer : find(producer);
  NodeId reader;
  for (NodeId c : problem_.consumers[t]) {
    const NodeId r = find(c);
    if (r == maker || r == reader) continue;
    if (!reader.is_none()) return {true, NodeId::none()};
    reader = r;
  }
  if (problem_.kept[t]) return {true, NodeId::none()};
  return {!reader.is_none(), reader};
}

void MergedNodes::account(const std::vector<TensorId>& tensors, int sign) {
  for (TensorId t : tensors) {
    const Use use = use_of(t);
    const NodeId producer = problem_.producer[t];
    if (use.survives && !producer.is_none()) surviving_[find(producer)] += sign * problem_.bytes[t];
    if (!use.only_reader.is_none()) only_read_by_[use.only_reader] += sign * problem_.bytes[t];
  }
}

MergedNodes::Lists MergedNodes::lists_of(const Csr<NodeId, NodeId>& rows) {
  Lists lists;
  lists.head.assign(rows.num_rows(), -1);
  lists.tail.assign(rows.num_rows(), -1);
  lists.item.reserve(rows.num_items());
  lists.next.reserve(rows.num_items());
  for (NodeId v : IdRange<NodeId>(rows.num_rows())) {
    for (NodeId w : rows[v]) {
      const auto at = static_cast<std::int32_t>(lists.item.size());
      (lists.tail[v] < 0 ? lists.head[v] : lists.next[static_cast<std::size_t>(lists.tail[v])]) =
          at;
      lists.tail[v] = at;
      lists.item.push_back(w);
      lists.next.push_back(-1);
    }
  }
  return lists;
}

void MergedNodes::link(Lists* lists, NodeId v, NodeId into) {
  if (lists->head[v] < 0) return;
  if (lists->head[into] < 0)
    lists->head[into] = lists->head[v];
  else
    lists->next[static_cast<std::size_t>(lists->tail[into])] = lists->head[v];
  lists->tail[into] = lists->tail[v];
}

// Drops what repeats or has become part of v, so that the next reading is shorter.
const std::vector<NodeId>& MergedNodes::read(Lists* lists, NodeId v) {
  scratch_.clear();
  stamp_[v] = ++last_stamp_;
  std::int32_t last = -1;
  for (std::int32_t at = lists->head[v]; at >= 0; at = lists->next[static_cast<std::size_t>(at)]) {
    const NodeId other = find(lists->item[static_cast<std::size_t>(at)]);
    if (stamp_[other] == last_stamp_) continue;
    stamp_[other] = last_stamp_;
    scratch_.push_back(other);
    lists->item[static_cast<std::size_t>(at)] = other;
    (last < 0 ? lists->head[v] : lists->next[static_cast<std::size_t>(last)]) = at;
    last = at;
  }
  if (last < 0)
    lists->head[v] = -1;
  else
    lists->next[static_cast<std::size_t>(last)] = -1;
  lists->tail[v] = last;
  return scratch_;
}

// The parts of survivors(), each O(n + m).
class MergedNodes::Survivors {
 public:
  explicit Survivors(MergedNodes* nodes)
      : nodes_(*nodes),
        problem_(nodes->problem_),
        renamed_(problem_.num_nodes()),
        tensor_renamed_(problem_.num_tensors()) {}

  void add_nodes() {
    for (NodeId v : problem_.nodes()) {
      if (nodes_.is_merged(v)) continue;
      renamed_[v] = builder_.add_node(nodes_.need_[v], problem_.is_update[v] != 0);
      runs_.push_row(nodes_.run_of(v));
    }
  }
  void add_dependencies() {
    for (NodeId v : problem_.nodes()) {
      if (nodes_.is_merged(v)) continue;
      for (NodeId p : nodes_.predecessors(v)) builder_.add_dependency(renamed_[p], renamed_[v]);
    }
  }
  void add_tensors() {
    for (TensorId t : problem_.tensors()) add_tensor(t);
    for (NodeId v : problem_.nodes())
      for (const Reuse& reuse : problem_.reuses[v])
        builder_.add_reuse(renamed_[v], {tensor_renamed_[reuse.fresh], tensor_renamed_[reuse.old]});
  }
  Reduced build() { return {std::move(builder_).build(), std::move(runs_)}; }

 private:
  void add_tensor(TensorId t) {
    const NodeId producer = problem_.producer[t];
    const NodeId maker = producer.is_none() ? producer : nodes_.find(producer);
    const bool reused = !maker.is_none() && !problem_.reuses[producer].empty();
    if (!nodes_.use_of(t).survives && !reused) return;
    tensor_renamed_[t] = builder_.add_tensor(
        problem_.bytes[t], maker.is_none() ? maker : renamed_[maker], problem_.kept[t] != 0);
    for (NodeId c : problem_.consumers[t])
      if (nodes_.find(c) != maker)
        builder_.add_reader(tensor_renamed_[t], renamed_[nodes_.find(c)]);
  }

  MergedNodes& nodes_;
  const OrderProblem& problem_;
  IdVector<NodeId, NodeId> renamed_;
  IdVector<TensorId, TensorId> tensor_renamed_;
  OrderProblemBuilder builder_;
  Csr<NodeId, NodeId> runs_;
};

std::optional<Reduced> MergedNodes::survivors(Meter* meter) {
  Survivors survivors(this);
  const auto size = static_cast<std::int64_t>(problem_.num_nodes());
  for (const auto part :
       {&Survivors::add_nodes, &Survivors::add_dependencies, &Survivors::add_tensors}) {
    (survivors.*part)();
    if (meter->spend(size)) return std::nullopt;
  }
  return survivors.build();
}

}  // namespace lowtide
