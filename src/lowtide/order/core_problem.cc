#include "lowtide/order/core_problem.h"

#include <algorithm>

namespace lowtide {
namespace {

int index_of(NodeId v) { return static_cast<int>(v.index()); }

// Fills inputs and outputs from the tensors.
void connect_tensors(CoreProblem* core) {
  core->inputs.assign(core->need.size(), {});
  core->outputs.assign(core->need.size(), {});
  for (std::size_t t = 0; t < core->tensors.size(); ++t) {
    const CoreTensor& tensor = core->tensors[t];
    if (tensor.producer >= 0)
      core->outputs[static_cast<std::size_t>(tensor.producer)].push_back(static_cast<int>(t));
    for (int c : tensor.consumers)
      core->inputs[static_cast<std::size_t>(c)].push_back(static_cast<int>(t));
  }
}

}  // namespace

CoreProblem make_core(const OrderProblem& problem) {
  LOWTIDE_CHECK(problem.reuses.num_items() == 0, "the core problem has no in-place reuse");
  CoreProblem core;
  for (NodeId v : problem.nodes()) {
    Bytes need = problem.workspace_bytes[v];
    for (TensorId t : problem.outputs[v]) need += problem.bytes[t];
    core.need.push_back(need);
    core.run.push_back({v});
    auto& predecessors = core.predecessors.emplace_back();
    for (NodeId p : problem.predecessors[v]) predecessors.push_back(index_of(p));
    auto& successors = core.successors.emplace_back();
    for (NodeId s : problem.successors[v]) successors.push_back(index_of(s));
  }
  for (TensorId t : problem.tensors()) {
    const NodeId producer = problem.producer[t];
    if (problem.consumers[t].empty() && !problem.kept[t]) continue;
    if (producer.is_none() && problem.kept[t]) {
      core.base += problem.bytes[t];
      continue;
    }
    CoreTensor tensor{
        problem.bytes[t], producer.is_none() ? -1 : index_of(producer), {}, problem.kept[t] != 0};
    for (NodeId c : problem.consumers[t]) tensor.consumers.push_back(index_of(c));
    core.tensors.push_back(std::move(tensor));
  }
  connect_tensors(&core);
  return core;
}

CoreProblem piece_of(const CoreProblem& core, const std::vector<char>& side) {
  CoreProblem piece;
  piece.base = core.base;
  std::vector<int> renamed(side.size(), -1);
  for (std::size_t v = 0; v < side.size(); ++v) {
    if (side[v] != 1) continue;
    renamed[v] = piece.num_nodes();
    piece.need.push_back(core.need[v]);
    piece.run.push_back(core.run[v]);
  }
  const auto keep = [&](const std::vector<int>& nodes) {
    std::vector<int> kept;
    for (int v : nodes)
      if (renamed[static_cast<std::size_t>(v)] >= 0)
        kept.push_back(renamed[static_cast<std::size_t>(v)]);
    return kept;
  };
  for (std::size_t v = 0; v < side.size(); ++v) {
    if (side[v] != 1) continue;
    piece.predecessors.push_back(keep(core.predecessors[v]));
    piece.successors.push_back(keep(core.successors[v]));
  }
  for (const CoreTensor& tensor : core.tensors) {
    const char made = tensor.producer < 0 ? 0 : side[static_cast<std::size_t>(tensor.producer)];
    if (made == 2) continue;
    CoreTensor within{tensor.bytes, -1, keep(tensor.consumers), tensor.kept};
    if (made == 1) within.producer = renamed[static_cast<std::size_t>(tensor.producer)];
    for (int c : tensor.consumers)
      within.kept = within.kept || side[static_cast<std::size_t>(c)] == 2;
    if (made == 0 && within.kept) {
      piece.base += tensor.bytes;
    } else if (made == 1 || !within.consumers.empty()) {
      piece.tensors.push_back(std::move(within));
    }
  }
  connect_tensors(&piece);
  return piece;
}

Bytes surviving_bytes(const CoreProblem& core, int v) {
  Bytes bytes = 0;
  for (int t : core.outputs[static_cast<std::size_t>(v)])
    bytes += core.tensors[static_cast<std::size_t>(t)].bytes;
  return bytes;
}

}  // namespace lowtide
