#include "support/brute_force.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "lowtide/layout/shapes.h"
#include "lowtide/model/layout_bounds.h"
#include "lowtide/model/lower.h"

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

class EveryOrder {
 public:
  EveryOrder(const OrderProblem& problem, Bytes alignment, Bytes budget)
      : problem_(problem), alignment_(alignment), budget_(budget) {}

  Bytes least_arena() {
    extend(0);
    return best_;
  }

 private:
  void extend(std::uint32_t set) {
    if (schedule_.size() == problem_.num_nodes()) {
      const auto placing = lower_layout(problem_, schedule_, alignment_).request;
      if (placing.is_plain() && load(placing.problem) >= best_) return;
      const auto layout = solve_request(placing, *find_layout_solver("exact"), Limits());
      LOWTIDE_CHECK(layout.status() == Status::kOptimal, "an oracle that does not know");
      best_ = std::min(best_, layout.value());
      return;
    }
    for (NodeId v : problem_.nodes()) {
      const auto predecessors = problem_.predecessors[v];
      if (holds(set, v) || !std::all_of(predecessors.begin(), predecessors.end(),
                                        [&](NodeId p) { return holds(set, p); }))
        continue;
      if (needed_by(problem_, set, v) > budget_) continue;
      schedule_.push_back(v);
      extend(set | (1u << v.index()));
      schedule_.pop_back();
    }
  }

  const OrderProblem& problem_;
  const Bytes alignment_;
  const Bytes budget_;
  Schedule schedule_;
  Bytes best_ = kMaxBytes;
};

}  // namespace

Bytes optimal_arena(const OrderProblem& problem, Bytes alignment, Bytes budget) {
  return EveryOrder(problem, alignment, budget).least_arena();
}

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

namespace {

// What buffer b holds at a step, relative to its offset.
Window held(const LayoutRequest& request, BufferId b, Step step) {
  const Buffer& buffer = request.problem.buffers[b];
  if (!buffer.lifetime.contains(step)) return {0, 0};
  for (const Gap& gap : request.gaps)
    if (gap.buffer == b && gap.lifetime.contains(step)) return gap.window.value_or(Window{0, 0});
  return {0, buffer.size};
}

bool are_aliases(const LayoutRequest& request, BufferId a, BufferId b) {
  std::vector<BufferId> reached = {a};
  for (std::size_t i = 0; i < reached.size(); ++i)
    for (const Tie& tie : request.ties) {
      if (tie.kind != Tie::kAlias) continue;
      for (const auto& [from, to] : {std::pair(tie.first, tie.second), {tie.second, tie.first}})
        if (from == reached[i] && std::find(reached.begin(), reached.end(), to) == reached.end())
          reached.push_back(to);
    }
  return std::find(reached.begin(), reached.end(), b) != reached.end();
}

bool share_a_byte(const LayoutRequest& request, BufferId a, Bytes offset_a, BufferId b,
                  Bytes offset_b) {
  const Interval life = request.problem.buffers[a].lifetime;
  for (Step step = life.lower; step < life.upper; ++step) {
    const Window x = held(request, a, step), y = held(request, b, step);
    if (x.lower < x.upper && y.lower < y.upper && offset_a + x.lower < offset_b + y.upper &&
        offset_b + y.lower < offset_a + x.upper)
      return true;
  }
  return false;
}

bool use_a_permission(const LayoutRequest& request, BufferId a, Bytes offset_a, BufferId b,
                      Bytes offset_b) {
  return offset_a == offset_b &&
         std::any_of(request.may_reuse.begin(), request.may_reuse.end(), [&](const MayReuse& pair) {
           return (pair.first == a && pair.second == b) || (pair.first == b && pair.second == a);
         });
}

// Buffer b at its offset with the ones before it.
bool goes_with_earlier(const LayoutRequest& request, const IdVector<BufferId, Bytes>& offsets,
                       BufferId b) {
  const Buffer& buffer = request.problem.buffers[b];
  if (buffer.fixed_offset ? offsets[b] != *buffer.fixed_offset : offsets[b] % buffer.alignment != 0)
    return false;
  for (const Tie& tie : request.ties) {
    if (std::max(tie.first, tie.second) != b) continue;
    const Bytes distance = tie.kind == Tie::kAlias ? 0 : request.problem.buffers[tie.first].size;
    if (offsets[tie.second] != offsets[tie.first] + distance) return false;
  }
  for (BufferId a(0); a < b; ++a)
    if (!are_aliases(request, a, b) && !use_a_permission(request, a, offsets[a], b, offsets[b]) &&
        share_a_byte(request, a, offsets[a], b, offsets[b]))
      return false;
  return true;
}

bool holds_anything(const LayoutRequest& request, BufferId b) {
  const Interval life = request.problem.buffers[b].lifetime;
  for (Step step = life.lower; step < life.upper; ++step)
    if (const Window window = held(request, b, step); window.lower < window.upper) return true;
  return false;
}

bool fits_from(const LayoutRequest& request, BufferId b, Bytes height, Bytes highest,
               IdVector<BufferId, Bytes>* offsets) {
  if (b.index() == offsets->size()) return true;
  const Buffer& buffer = request.problem.buffers[b];
  const bool is_tied = std::any_of(request.ties.begin(), request.ties.end(), [&](const Tie& tie) {
    return tie.first == b || tie.second == b;
  });
  Bytes top = height - buffer.size;
  if (!holds_anything(request, b)) top = is_tied ? highest : buffer.fixed_offset.value_or(0);
  for (Bytes offset = 0; offset <= top; ++offset) {
    (*offsets)[b] = offset;
    if (goes_with_earlier(request, *offsets, b) &&
        fits_from(request, BufferId(b.index() + 1), height, highest, offsets))
      return true;
  }
  return false;
}

}  // namespace

bool is_right(const LayoutRequest& request, const IdVector<BufferId, Bytes>& offsets) {
  for (BufferId b : offsets.ids())
    if (offsets[b] < 0 || !goes_with_earlier(request, offsets, b)) return false;
  return true;
}

Bytes optimal_height(const LayoutRequest& request, Bytes highest) {
  IdVector<BufferId, Bytes> offsets(request.problem.buffers.size(), 0);
  for (Bytes height = 0; height <= highest; ++height)
    if (fits_from(request, BufferId(0), height, highest + 20, &offsets)) return height;
  return kMaxBytes;
}

}  // namespace lowtide::testing
