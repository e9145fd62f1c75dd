#include "lowtide/report/timeline.h"

#include <algorithm>

#include "lowtide/model/lifetimes.h"
#include "lowtide/model/lower.h"

namespace lowtide {
namespace {

// Neighbouring steps of one phase, merged. Hundreds of flips (early updates) are noise to a reader
// and stay: the page draws them as thin bands.
std::vector<PhaseSpan> phase_spans(const Graph& graph, const Schedule& schedule) {
  std::vector<PhaseSpan> spans;
  for (std::size_t i = 0; i < schedule.size(); ++i) {
    const std::string_view phase = graph.phase(schedule[i]);
    const auto step = static_cast<Step>(i);
    if (!spans.empty() && spans.back().phase == phase)
      spans.back().last = step;
    else
      spans.push_back({std::string(phase), step, step});
  }
  return spans;
}

}  // namespace

Timeline make_timeline(const Graph& graph, const Plan& plan) {
  const LoweredOrder lowered = lower_order(graph, !plan.reuses.empty());
  const Schedule program = program_order_of(lowered.problem);
  Timeline timeline;
  timeline.before = profile(lowered.problem, program);
  timeline.after = profile(lowered.problem, plan.schedule);
  timeline.phases_before = phase_spans(graph, program);
  timeline.phases_after = phase_spans(graph, plan.schedule);
  const auto highest = std::max_element(timeline.after.begin(), timeline.after.end());
  timeline.peak_step = highest - timeline.after.begin();

  const auto life = lifetimes(lowered.problem, plan.schedule);
  for (TensorId t : lowered.problem.tensors()) {
    const TensorId tensor = lowered.graph_tensor[t];
    timeline.tensors.push_back({tensor, life[t], plan.offsets[tensor]});
    if (life[t].contains(timeline.peak_step)) timeline.live_at_peak.push_back(tensor);
  }
  std::stable_sort(
      timeline.tensors.begin(), timeline.tensors.end(),
      [](const auto& a, const auto& b) { return a.lifetime.lower < b.lifetime.lower; });
  std::stable_sort(timeline.live_at_peak.begin(), timeline.live_at_peak.end(),
                   [&](TensorId a, TensorId b) { return graph.bytes(a) > graph.bytes(b); });
  return timeline;
}

}  // namespace lowtide
