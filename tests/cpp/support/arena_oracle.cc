#include "support/arena_oracle.h"

#include <algorithm>
#include <vector>

namespace lowtide::testing {
namespace {

// One thing to place: how many bytes from its offset on it holds in each step.
struct Thing {
  std::vector<Bytes> held;
  Bytes size = 0;    // the most it needs; what the arena has to hold
  int same_as = -1;  // an earlier thing whose offset it has
};

class Oracle {
 public:
  Oracle(const Graph& graph, const Schedule& schedule, Bytes alignment)
      : graph_(graph), schedule_(schedule), alignment_(alignment) {}

  Bytes least_peak(bool use_reuse) const {
    Bytes peak = kMaxBytes;
    for (const auto& taken : choices(use_reuse))
      peak = std::min(peak, peak_of(things_of(taken, 1)));
    return peak;
  }

  Bytes least_arena(bool use_reuse) {
    Bytes arena = kMaxBytes;
    for (const auto& taken : choices(use_reuse)) {
      things_ = things_of(taken, alignment_);
      for (Bytes height = lowest(); height < arena; height += alignment_)
        if (place(0, height)) arena = height;
    }
    return arena;
  }

 private:
  // Every set of reuses that may be taken.
  std::vector<std::vector<Reuse>> choices(bool use_reuse) const {
    std::vector<std::vector<Reuse>> sets = {{}};
    if (!use_reuse) return sets;
    for (std::size_t s = 0; s < schedule_.size(); ++s)
      for (const Reuse& reuse : graph_.may_reuse(schedule_[s]))
        if (is_possible(reuse, s))
          for (std::size_t i = 0, count = sets.size(); i < count; ++i) {
            sets.push_back(sets[i]);
            sets.back().push_back(reuse);
          }
    return sets;
  }

  std::size_t step_of(NodeId v) const {
    return static_cast<std::size_t>(std::find(schedule_.begin(), schedule_.end(), v) -
                                    schedule_.begin());
  }
  std::size_t first(TensorId t) const {
    return graph_.producer(t).is_none() ? 0 : step_of(graph_.producer(t));
  }
  // One after the last step in which it is there.
  std::size_t end(TensorId t) const {
    if (graph_.is_output(t)) return schedule_.size();
    std::size_t last = graph_.producer(t).is_none() ? 0 : first(t) + 1;
    for (NodeId reader : graph_.consumers(t)) last = std::max(last, step_of(reader) + 1);
    return last;
  }
  bool is_possible(const Reuse& reuse, std::size_t step) const {
    return !graph_.is_persistent(reuse.old) && !graph_.is_output(reuse.old) &&
           graph_.bytes(reuse.fresh) > 0 && graph_.bytes(reuse.fresh) <= graph_.bytes(reuse.old) &&
           end(reuse.old) == step + 1;
  }

  std::vector<Thing> things_of(const std::vector<Reuse>& taken, Bytes alignment) const {
    const auto rounded = [&](Bytes bytes) {
      return (bytes + alignment - 1) / alignment * alignment;
    };
    std::vector<Thing> things;
    std::vector<std::pair<TensorId, int>> index;
    const auto add = [&](TensorId t) {
      if (graph_.is_persistent(t) || graph_.bytes(t) == 0) return;
      Thing thing{std::vector<Bytes>(schedule_.size(), 0), rounded(graph_.bytes(t))};
      std::size_t from = first(t);
      for (const Reuse& reuse : taken)
        if (reuse.fresh == t) {
          ++from;
          for (const auto& [other, i] : index)
            if (other == reuse.old) thing.same_as = i;
        }
      for (std::size_t s = from; s < end(t); ++s) thing.held[s] = thing.size;
      index.emplace_back(t, static_cast<int>(things.size()));
      things.push_back(std::move(thing));
    };
    for (TensorId t : graph_.tensors())
      if (graph_.producer(t).is_none()) add(t);
    for (std::size_t s = 0; s < schedule_.size(); ++s) {
      for (TensorId t : graph_.outputs(schedule_[s])) add(t);
      if (const Bytes bytes = graph_.workspace_bytes(schedule_[s]); bytes > 0) {
        Thing thing{std::vector<Bytes>(schedule_.size(), 0), rounded(bytes)};
        thing.held[s] = thing.size;
        things.push_back(std::move(thing));
      }
    }
    return things;
  }

  Bytes peak_of(const std::vector<Thing>& things) const {
    Bytes peak = 0;
    for (std::size_t s = 0; s < schedule_.size(); ++s) {
      Bytes sum = 0;
      for (const Thing& thing : things) sum += thing.held[s];
      peak = std::max(peak, sum);
    }
    return peak;
  }
  Bytes lowest() const {
    Bytes height = peak_of(things_);
    for (const Thing& thing : things_) height = std::max(height, thing.size);
    return height;
  }

  bool place(std::size_t i, Bytes height) {
    if (i == 0) offsets_.assign(things_.size(), 0);
    if (i == things_.size()) return true;
    const Thing& thing = things_[i];
    const Bytes only = thing.same_as < 0 ? -1 : offsets_[static_cast<std::size_t>(thing.same_as)];
    for (Bytes offset = std::max<Bytes>(only, 0); offset + thing.size <= height;
         offset += alignment_) {
      offsets_[i] = offset;
      if (is_free(i) && place(i + 1, height)) return true;
      if (only >= 0) break;
    }
    return false;
  }
  bool is_free(std::size_t i) const {
    for (std::size_t j = 0; j < i; ++j)
      for (std::size_t s = 0; s < schedule_.size(); ++s) {
        const Bytes a = things_[i].held[s], b = things_[j].held[s];
        if (a > 0 && b > 0 && offsets_[i] < offsets_[j] + b && offsets_[j] < offsets_[i] + a)
          return false;
      }
    return true;
  }

  const Graph& graph_;
  const Schedule& schedule_;
  const Bytes alignment_;
  std::vector<Thing> things_;
  std::vector<Bytes> offsets_;
};

}  // namespace

Bytes least_peak(const Graph& graph, const Schedule& schedule, bool use_reuse) {
  return Oracle(graph, schedule, 1).least_peak(use_reuse);
}

Bytes least_arena(const Graph& graph, const Schedule& schedule, Bytes alignment, bool use_reuse) {
  return Oracle(graph, schedule, alignment).least_arena(use_reuse);
}

}  // namespace lowtide::testing
