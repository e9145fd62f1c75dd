#include "lowtide/report/timeline.h"

#include <algorithm>
#include <numeric>

#include "lowtide/model/lifetimes.h"
#include "lowtide/model/lower.h"

namespace lowtide {
namespace {

std::vector<PhaseSpan> phase_spans(const Graph& graph, const Schedule& schedule) {
  std::vector<PhaseSpan> spans;
  for (std::size_t i = 0; i < schedule.size(); ++i) {
    const std::string_view phase = graph.phase(schedule[i]);
    const auto step = static_cast<Step>(i);
    if (!spans.empty() && spans.back().phase == phase)
      spans.back().last = step;
    else
      spans.push_back({phase, step, step});
  }
  return spans;
}

Timeline timeline_of(const Graph& graph, const LoweredOrder& lowered, const Schedule& schedule) {
  Timeline timeline;
  timeline.schedule = schedule;
  timeline.curve = profile(lowered.problem, schedule);
  timeline.phases = phase_spans(graph, schedule);
  timeline.step = steps_of(lowered.problem, schedule);
  timeline.lifetime.resize(graph.num_tensors());
  const auto life = lifetimes(lowered.problem, schedule);
  for (TensorId t : lowered.problem.tensors()) {
    if (lowered.is_workspace(t)) {
      timeline.with_workspace.push_back(lowered.problem.producer[t]);
    } else {
      timeline.planned.push_back(lowered.graph_tensor[t]);
      timeline.lifetime[lowered.graph_tensor[t]] = life[t];
    }
  }
  if (!schedule.empty()) {
    const auto highest = std::max_element(timeline.curve.begin(), timeline.curve.end());
    timeline.peak_step = highest - timeline.curve.begin();
    timeline.peak_bytes = *highest;
  }
  return timeline;
}

}  // namespace

Timeline make_timeline(const Graph& graph, const Schedule& schedule) {
  return timeline_of(graph, lower_order(graph), schedule);
}

Timeline make_timeline(const Graph& graph, const Plan& plan) {
  return timeline_of(graph, lower_order(graph, plan.reuses), plan.schedule);
}

Schedule program_order_of(const Graph& graph) {
  Schedule schedule;
  for (NodeId v : graph.nodes()) schedule.push_back(v);
  return schedule;
}

std::vector<TensorId> live_at(const Graph& graph, const Timeline& timeline, Step step) {
  std::vector<TensorId> live;
  for (TensorId t : timeline.planned)
    if (timeline.is_live(t, step)) live.push_back(t);
  std::stable_sort(live.begin(), live.end(),
                   [&](TensorId a, TensorId b) { return graph.bytes(a) > graph.bytes(b); });
  return live;
}

}  // namespace lowtide
