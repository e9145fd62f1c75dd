#include "lowtide/report/remedies.h"

#include <algorithm>
#include <array>

#include "lowtide/model/lifetimes.h"
#include "lowtide/model/lower.h"
#include "lowtide/order/greedy/list_schedule.h"

namespace lowtide {
namespace {

constexpr Bytes kNotPossible = -1;

// The steps that touch a tensor, ascending: its producer's and its consumers'.
std::vector<Step> touches(const Graph& graph, const Timeline& timeline, TensorId t) {
  std::vector<Step> steps;
  if (!graph.producer(t).is_none()) steps.push_back(timeline.step[graph.producer(t)]);
  for (NodeId v : graph.consumers(t)) steps.push_back(timeline.step[v]);
  std::sort(steps.begin(), steps.end());
  return steps;
}

// The hole of `t` that holds `at`, or an empty interval. Before the first and after the last touch
// there is none: what nobody touches again is not ours to move.
Interval hole_at(const Graph& graph, const Timeline& timeline, TensorId t, Step at) {
  if (!timeline.is_live(t, at)) return {};
  const std::vector<Step> steps = touches(graph, timeline, t);
  const auto next = std::lower_bound(steps.begin(), steps.end(), at);
  if (next == steps.begin() || next == steps.end() || *next == at) return {};
  return {*std::prev(next) + 1, *next};
}

// Which steps of which tensors are out of memory, and which must not be.
class HoleBook {
 public:
  explicit HoleBook(std::size_t num_tensors) : out_(num_tensors), pinned_(num_tensors) {}

  bool is_out(TensorId t, Step at) const {
    return std::any_of(out_[t].begin(), out_[t].end(),
                       [at](const Interval& steps) { return steps.contains(at); });
  }
  bool holds_pin(TensorId t, const Interval& steps) const {
    return std::any_of(pinned_[t].begin(), pinned_[t].end(),
                       [&](Step at) { return steps.contains(at); });
  }
  void take_out(TensorId t, const Interval& steps) { out_[t].push_back(steps); }
  void pin(TensorId t, Step at) { pinned_[t].push_back(at); }

 private:
  IdVector<TensorId, std::vector<Interval>> out_;
  IdVector<TensorId, std::vector<Step>> pinned_;
};

// One way of emptying a hole: what it costs, and what it asks of other tensors.
class Technique {
 public:
  virtual ~Technique() = default;
  // kNotPossible, or the cost in bytes.
  virtual Bytes cost(TensorId t, const Interval& hole, const HoleBook& book) const = 0;
  virtual void reserve(TensorId, const Interval&, HoleBook*) const {}
};

class Offload : public Technique {
 public:
  explicit Offload(const Graph& graph) : graph_(graph) {}
  Bytes cost(TensorId t, const Interval&, const HoleBook&) const override {
    return 2 * graph_.bytes(t);  // out and back
  }

 private:
  const Graph& graph_;
};

// Runs the producer again right before the step that ends the hole: whatever it reads must be in
// memory then, with the bytes it read the first time.
class Recompute : public Technique {
 public:
  Recompute(const Graph& graph, const Timeline& timeline)
      : graph_(graph), timeline_(timeline), mutations_(graph.num_tensors()) {
    for (NodeId v : graph.nodes())
      for (TensorId t : graph.mutates(v)) mutations_[t].push_back(timeline.step[v]);
  }

  Bytes cost(TensorId t, const Interval& hole, const HoleBook& book) const override {
    const NodeId producer = graph_.producer(t);
    if (producer.is_none() || is_random(graph_.op(producer))) return kNotPossible;
    if (!graph_.mutates(producer).empty() || graph_.outputs(producer).size() != 1)
      return kNotPossible;
    Bytes bytes = graph_.bytes(t);
    for (TensorId input : graph_.inputs(producer)) {
      if (!can_read(input, timeline_.step[producer], hole.upper, book)) return kNotPossible;
      bytes += graph_.bytes(input);
    }
    return bytes;
  }
  void reserve(TensorId t, const Interval& hole, HoleBook* book) const override {
    for (TensorId input : graph_.inputs(graph_.producer(t)))
      if (!graph_.is_persistent(input)) book->pin(input, hole.upper);
  }

 private:
  static bool is_random(std::string_view op) {
    static constexpr std::array kRandom = {"dropout", "bernoulli", "rand", "normal_",
                                           "exponential"};
    return std::any_of(kRandom.begin(), kRandom.end(),
                       [&](const char* part) { return op.find(part) != std::string_view::npos; });
  }
  bool can_read(TensorId input, Step first_run, Step again, const HoleBook& book) const {
    if (graph_.bytes(input) > 0 && !graph_.is_persistent(input))
      return timeline_.is_live(input, again) && !book.is_out(input, again);
    return std::none_of(mutations_[input].begin(), mutations_[input].end(),
                        [&](Step s) { return first_run < s && s < again; });
  }

  const Graph& graph_;
  const Timeline& timeline_;
  IdVector<TensorId, std::vector<Step>> mutations_;
};

class HoleEmptier {
 public:
  HoleEmptier(const Graph& graph, const Timeline& timeline, const Technique& technique)
      : graph_(graph),
        timeline_(timeline),
        technique_(technique),
        curve_(timeline.curve),
        book_(graph.num_tensors()) {}

  std::vector<EmptiedHole> run() {
    while (emptied_.size() < kMostHoles && !curve_.empty()) {
      const EmptiedHole next =
          largest_at(std::max_element(curve_.begin(), curve_.end()) - curve_.begin());
      if (next.tensor.is_none()) break;
      empty(next);
    }
    return std::move(emptied_);
  }

 private:
  EmptiedHole largest_at(Step peak) const {
    EmptiedHole largest;
    for (TensorId t : timeline_.planned) {
      if (!largest.tensor.is_none() && graph_.bytes(t) <= graph_.bytes(largest.tensor)) continue;
      const Interval hole = hole_at(graph_, timeline_, t, peak);
      if (hole.empty() || book_.is_out(t, peak) || book_.holds_pin(t, hole)) continue;
      const Bytes cost = technique_.cost(t, hole, book_);
      if (cost != kNotPossible) largest = {.tensor = t, .steps = hole, .cost_bytes = cost};
    }
    return largest;
  }
  void empty(EmptiedHole hole) {
    for (Step s = hole.steps.lower; s < hole.steps.upper; ++s)
      curve_[static_cast<std::size_t>(s)] -= graph_.bytes(hole.tensor);
    book_.take_out(hole.tensor, hole.steps);
    technique_.reserve(hole.tensor, hole.steps, &book_);
    hole.peak_bytes = *std::max_element(curve_.begin(), curve_.end());
    emptied_.push_back(hole);
  }

  const Graph& graph_;
  const Timeline& timeline_;
  const Technique& technique_;
  std::vector<Bytes> curve_;
  HoleBook book_;
  std::vector<EmptiedHole> emptied_;
};

}  // namespace

std::vector<EmptiedHole> offload_estimate(const Graph& graph, const Timeline& timeline) {
  return HoleEmptier(graph, timeline, Offload(graph)).run();
}

std::vector<EmptiedHole> recompute_estimate(const Graph& graph, const Timeline& timeline) {
  return HoleEmptier(graph, timeline, Recompute(graph, timeline)).run();
}

EarlyUpdates early_updates(const Graph& graph, const Timeline& timeline) {
  EarlyUpdates result;
  Step last_backward = -1;
  for (NodeId v : graph.nodes())
    if (graph.phase(v) == "backward") last_backward = std::max(last_backward, timeline.step[v]);
  for (NodeId v : graph.nodes()) {
    if (graph.phase(v) != "optimizer") continue;
    ++result.updates;
    if (timeline.step[v] < last_backward) ++result.early;
  }
  if (result.updates == 0) return result;
  const LoweredOrder lowered = lower_order(graph);
  result.hoisted_peak_bytes = peak(lowered.problem, hoisted_order(lowered.problem));
  return result;
}

}  // namespace lowtide
