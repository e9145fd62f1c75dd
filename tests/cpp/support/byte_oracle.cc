#include "support/byte_oracle.h"

#include <algorithm>
#include <optional>
#include <vector>

namespace lowtide::testing {
namespace {

constexpr long kNever = -1;

class ByteOracle {
 public:
  ByteOracle(const Graph& graph, const Plan& plan) : graph_(graph), plan_(plan) {}

  bool is_right() {
    return every_node_once() && every_order_kept() && every_reuse_possible() &&
           every_offset_right() && no_byte_held_twice() && every_claim_right();
  }

 private:
  long step_of(NodeId v) const {
    return std::find(plan_.schedule.begin(), plan_.schedule.end(), v) - plan_.schedule.begin();
  }
  bool every_node_once() const {
    for (NodeId v : graph_.nodes())
      if (std::ranges::count(plan_.schedule, v) != 1) return false;
    return plan_.schedule.size() == graph_.num_nodes();
  }
  bool every_order_kept() const {
    for (NodeId v : graph_.nodes()) {
      for (NodeId u : graph_.after(v))
        if (step_of(u) >= step_of(v)) return false;
      for (TensorId t : graph_.inputs(v))
        if (!graph_.producer(t).is_none() && step_of(graph_.producer(t)) >= step_of(v))
          return false;
    }
    return true;
  }

  // The last step in which it is there.
  long last(TensorId t) const {
    if (graph_.is_output(t)) return static_cast<long>(plan_.schedule.size()) - 1;
    long last = graph_.producer(t).is_none() ? kNever : step_of(graph_.producer(t));
    for (NodeId reader : graph_.consumers(t)) last = std::max(last, step_of(reader));
    return last;
  }
  // The first step in which it has bytes of its own.
  long first(TensorId t) const {
    const NodeId producer = graph_.producer(t);
    if (producer.is_none()) return 0;
    return step_of(producer) + (taken_over(t) ? 1 : 0);
  }
  std::optional<TensorId> taken_over(TensorId t) const {
    for (const Reuse& reuse : plan_.reuses)
      if (reuse.fresh == t) return reuse.old;
    return std::nullopt;
  }
  bool every_reuse_possible() const {
    return std::ranges::all_of(plan_.reuses, [&](const Reuse& reuse) {
      const NodeId producer = graph_.producer(reuse.fresh);
      return !producer.is_none() && std::ranges::count(graph_.may_reuse(producer), reuse) > 0 &&
             !graph_.is_persistent(reuse.old) && !graph_.is_output(reuse.old) &&
             last(reuse.old) == step_of(producer) &&
             graph_.bytes(reuse.fresh) <= graph_.bytes(reuse.old) &&
             plan_.offsets[reuse.fresh] == plan_.offsets[reuse.old];
    });
  }

  bool is_right_offset(Bytes offset, Bytes bytes, bool has_place) const {
    if (offset == kNoOffset) return !has_place || bytes == 0;
    return has_place && offset >= 0 && offset % plan_.alignment == 0 &&
           offset <= plan_.arena_bytes - bytes;
  }
  bool every_offset_right() const {
    if (plan_.alignment < 1) return false;
    for (TensorId t : graph_.tensors())
      if (!is_right_offset(plan_.offsets[t], graph_.bytes(t), !graph_.is_persistent(t)))
        return false;
    for (NodeId v : graph_.nodes()) {
      const Bytes bytes = graph_.workspace_bytes(v);
      if (!is_right_offset(plan_.workspace_offsets[v], bytes, bytes > 0)) return false;
    }
    return true;
  }

  bool hold(std::vector<char>* bytes, Bytes from, Bytes count) {
    for (Bytes b = from; b < from + count; ++b)
      if (std::exchange((*bytes)[static_cast<std::size_t>(b)], 1)) return false;
    return true;
  }
  bool no_byte_held_twice() {
    for (long s = 0; s < static_cast<long>(plan_.schedule.size()); ++s) {
      std::vector<char> bytes(static_cast<std::size_t>(plan_.arena_bytes), 0);
      const NodeId v = plan_.schedule[static_cast<std::size_t>(s)];
      Bytes held = graph_.workspace_bytes(v);
      if (held > 0 && !hold(&bytes, plan_.workspace_offsets[v], held)) return false;
      for (TensorId t : graph_.tensors()) {
        if (graph_.is_persistent(t) || s < first(t) || s > last(t) || graph_.bytes(t) == 0)
          continue;
        held += graph_.bytes(t);
        if (!hold(&bytes, plan_.offsets[t], graph_.bytes(t))) return false;
      }
      peak_ = std::max(peak_, held);
    }
    return true;
  }

  bool every_claim_right() const {
    Bytes end = 0, rounded_end = 0;
    const auto place = [&](Bytes offset, Bytes bytes) {
      if (offset == kNoOffset || bytes == 0) return;
      end = std::max(end, offset + bytes);
      rounded_end = std::max(
          rounded_end, offset + (bytes + plan_.alignment - 1) / plan_.alignment * plan_.alignment);
    };
    for (TensorId t : graph_.tensors()) place(plan_.offsets[t], graph_.bytes(t));
    for (NodeId v : graph_.nodes()) place(plan_.workspace_offsets[v], graph_.workspace_bytes(v));
    return plan_.peak_bytes == peak_ &&
           (plan_.arena_bytes == end || plan_.arena_bytes == rounded_end) &&
           is_right_claim(plan_.peak_bytes, plan_.peak_lower_bound_bytes, plan_.order_status) &&
           is_right_claim(plan_.arena_bytes, plan_.arena_lower_bound_bytes, plan_.layout_status);
  }
  static bool is_right_claim(Bytes value, Bytes bound, Status status) {
    return 0 <= bound && bound <= value &&
           status == (bound == value ? Status::kOptimal : Status::kFeasible);
  }

  const Graph& graph_;
  const Plan& plan_;
  Bytes peak_ = 0;
};

}  // namespace

bool is_right_byte_by_byte(const Graph& graph, const Plan& plan) {
  return ByteOracle(graph, plan).is_right();
}

}  // namespace lowtide::testing
