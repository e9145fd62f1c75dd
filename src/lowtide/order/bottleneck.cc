#include "lowtide/order/bottleneck.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "lowtide/order/down_set_cut.h"
#include "lowtide/order/walk.h"

namespace lowtide {
namespace {

void mark_reachable(const std::vector<std::vector<int>>& edges, int from, CutSide mark,
                    std::vector<CutSide>* side) {
  std::vector<int> queue = {from};
  for (std::size_t i = 0; i < queue.size(); ++i) {
    for (int w : edges[static_cast<std::size_t>(queue[i])]) {
      if ((*side)[static_cast<std::size_t>(w)] == mark) continue;
      (*side)[static_cast<std::size_t>(w)] = mark;
      queue.push_back(w);
    }
  }
}

// The smallest live(D) + need(v) over the down-sets D that v can run after.
Bottleneck bound_of(const CoreProblem& core, int v, Meter* meter) {
  std::vector<CutSide> side(core.need.size(), CutSide::kFree);
  mark_reachable(core.predecessors, v, CutSide::kIn, &side);
  mark_reachable(core.successors, v, CutSide::kOut, &side);
  side[static_cast<std::size_t>(v)] = CutSide::kOut;
  std::vector<int> free_nodes;
  Bottleneck result{v, 0, std::vector<char>(core.need.size(), 0)};
  for (int u = 0; u < core.num_nodes(); ++u) {
    if (side[static_cast<std::size_t>(u)] == CutSide::kFree) free_nodes.push_back(u);
    if (side[static_cast<std::size_t>(u)] == CutSide::kIn)
      result.before[static_cast<std::size_t>(u)] = 1;
  }
  meter->spend(core.num_nodes() + 1);
  const auto inside = cheapest_down_set(
      core, free_nodes, [&](int u) { return side[static_cast<std::size_t>(u)]; },
      Minimiser::kSmallest, meter);
  for (std::size_t i = 0; i < free_nodes.size(); ++i)
    if (inside[i]) result.before[static_cast<std::size_t>(free_nodes[i])] = 1;
  result.bound = live_bytes(core, result.before) + core.need[static_cast<std::size_t>(v)];
  return result;
}

// What each node needs when they run as numbered; pieces and contractions are numbered
// topologically.
std::vector<Bytes> needs_as_numbered(const CoreProblem& core) {
  Walk walk(core, Direction::kForward);
  std::vector<Bytes> needs;
  for (int v = 0; v < core.num_nodes(); ++v) {
    needs.push_back(walk.cost(v));
    walk.step(v);
  }
  return needs;
}

// What each node needs when the one that grows the live bytes least runs first.
std::vector<Bytes> needs_by_growth(const CoreProblem& core, Meter* meter) {
  Walk walk(core, Direction::kForward);
  std::vector<Bytes> needs(core.need.size(), kMaxBytes);
  while (!walk.is_complete() && !meter->stopped()) {
    std::pair<Bytes, int> least = {kMaxBytes, -1};
    for (int v : walk.ready()) least = std::min(least, {walk.growth(v), v});
    meter->spend(1 + static_cast<std::int64_t>(walk.ready().size()));
    needs[static_cast<std::size_t>(least.second)] = walk.cost(least.second);
    walk.step(least.second);
  }
  return needs;
}

// An upper bound on each node's bound: the least it needs in two legal orders.
std::vector<Bytes> least_needs(const CoreProblem& core, Meter* meter) {
  std::vector<Bytes> needs = needs_as_numbered(core);
  const std::vector<Bytes> others = needs_by_growth(core, meter);
  for (std::size_t v = 0; v < needs.size(); ++v) needs[v] = std::min(needs[v], others[v]);
  return needs;
}

}  // namespace

Bytes live_bytes(const CoreProblem& core, const std::vector<char>& in_set) {
  Bytes live = core.base;
  for (const CoreTensor& tensor : core.tensors) {
    if (tensor.producer >= 0 && !in_set[static_cast<std::size_t>(tensor.producer)]) continue;
    const bool needed =
        tensor.kept || std::any_of(tensor.consumers.begin(), tensor.consumers.end(),
                                   [&](int c) { return !in_set[static_cast<std::size_t>(c)]; });
    if (needed) live += tensor.bytes;
  }
  return live;
}

Bottleneck find_bottleneck(const CoreProblem& core, int most_flows, Meter* meter) {
  const auto needs = least_needs(core, meter);
  std::vector<int> by_need(needs.size());
  std::iota(by_need.begin(), by_need.end(), 0);
  std::stable_sort(by_need.begin(), by_need.end(), [&](int a, int b) {
    return needs[static_cast<std::size_t>(a)] > needs[static_cast<std::size_t>(b)];
  });
  Bottleneck best;
  for (int v : by_need) {
    if (needs[static_cast<std::size_t>(v)] <= best.bound || most_flows-- == 0 || meter->stopped())
      break;
    Bottleneck found = bound_of(core, v, meter);
    if (meter->stopped()) break;  // its flow may not have finished
    if (found.bound > best.bound) best = std::move(found);
  }
  return best;
}

}  // namespace lowtide
