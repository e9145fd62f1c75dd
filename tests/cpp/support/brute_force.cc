#include "support/brute_force.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace lowtide::testing {
namespace {

bool holds(std::uint32_t set, NodeId v) { return (set >> v.index()) & 1; }

// Bytes live after the nodes of `set` have run, straight from the definition.
Bytes live_after(const OrderProblem& problem, std::uint32_t set) {
  Bytes live = 0;
  for (TensorId t : problem.tensors()) {
    const bool made = problem.producer[t].is_none() || holds(set, problem.producer[t]);
    const auto consumers = problem.consumers[t];
    const bool wanted = problem.kept[t] || std::any_of(consumers.begin(), consumers.end(),
                                                       [&](NodeId c) { return !holds(set, c); });
    if (made && wanted) live += problem.bytes[t];
  }
  return live;
}

Bytes needed_by(const OrderProblem& problem, std::uint32_t set, NodeId v) {
  Bytes bytes = live_after(problem, set) + problem.workspace_bytes[v];
  for (TensorId t : problem.outputs[v]) bytes += problem.bytes[t];
  for (const Reuse& reuse : problem.reuses[v]) {
    const auto consumers = problem.consumers[reuse.old];
    const bool last = std::all_of(consumers.begin(), consumers.end(),
                                  [&](NodeId c) { return c == v || holds(set, c); });
    if (last && !problem.kept[reuse.old]) bytes -= problem.bytes[reuse.fresh];
  }
  return bytes;
}

}  // namespace

Bytes optimal_peak(const OrderProblem& problem) {
  const auto n = problem.num_nodes();
  std::vector<Bytes> best(std::size_t{1} << n, kMaxBytes);
  best[0] = 0;
  for (std::uint32_t set = 0; set + 1 < best.size(); ++set) {
    if (best[set] == kMaxBytes) continue;
    for (NodeId v : problem.nodes()) {
      const auto predecessors = problem.predecessors[v];
      if (holds(set, v) || !std::all_of(predecessors.begin(), predecessors.end(),
                                        [&](NodeId p) { return holds(set, p); }))
        continue;
      Bytes& after = best[set | (1u << v.index())];
      after = std::min(after, std::max(best[set], needed_by(problem, set, v)));
    }
  }
  return best.back();
}

Bytes optimal_height(const LayoutProblem& problem) {
  std::vector<BufferId> order;
  for (BufferId b : problem.buffers.ids())
    if (problem.buffers[b].takes_room()) order.push_back(b);
  Bytes best = kMaxBytes;
  do {
    IdVector<BufferId, Bytes> offsets(problem.buffers.size(), -1);
    Bytes height = 0;
    for (std::size_t i = 0; i < order.size(); ++i) {
      const Buffer& buffer = problem.buffers[order[i]];
      // The lowest offset above the earlier ones that fits: 0 or on top of one of them.
      std::vector<Bytes> candidates = {0};
      for (std::size_t k = 0; k < i; ++k)
        candidates.push_back(
            align_up(offsets[order[k]] + problem.buffers[order[k]].size, buffer.alignment));
      if (buffer.fixed_offset) candidates = {*buffer.fixed_offset};
      std::sort(candidates.begin(), candidates.end());
      for (Bytes offset : candidates) {
        const bool free = std::none_of(
            order.begin(), order.begin() + static_cast<std::ptrdiff_t>(i), [&](BufferId b) {
              const Buffer& other = problem.buffers[b];
              return other.lifetime.intersects(buffer.lifetime) &&
                     offset < offsets[b] + other.size && offsets[b] < offset + buffer.size;
            });
        if (!free) continue;
        offsets[order[i]] = offset;
        break;
      }
      if (offsets[order[i]] < 0) {
        height = kMaxBytes;
        break;
      }
      height = std::max(height, offsets[order[i]] + buffer.size);
    }
    best = std::min(best, height);
  } while (std::next_permutation(order.begin(), order.end()));
  return best;
}

}  // namespace lowtide::testing
