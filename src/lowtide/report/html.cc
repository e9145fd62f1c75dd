#include "lowtide/report/html.h"

#include <nlohmann/json.hpp>

#include "lowtide/report/assets.h"
#include "lowtide/report/timeline.h"

namespace lowtide {
namespace {

using Json = nlohmann::ordered_json;

Json headline(const Graph& graph, const Plan& plan) {
  return {{"graph", graph.name()},
          {"nodes", graph.num_nodes()},
          {"tensors", graph.num_tensors()},
          {"persistent_bytes", graph.persistent_bytes()},
          {"peak_bytes", plan.peak_bytes},
          {"peak_lower_bound_bytes", plan.peak_lower_bound_bytes},
          {"order_status", to_string(plan.order_status)},
          {"arena_bytes", plan.arena_bytes},
          {"arena_lower_bound_bytes", plan.arena_lower_bound_bytes},
          {"layout_status", to_string(plan.layout_status)},
          {"alignment", plan.alignment}};
}

Json spans_json(const std::vector<PhaseSpan>& spans) {
  Json list = Json::array();
  for (const PhaseSpan& span : spans) list.push_back({span.phase, span.first, span.last});
  return list;
}

// [name, bytes, first step, end step, offset, producing op, phase, is output]
Json tensor_json(const Graph& graph, const PlacedTensor& placed) {
  const NodeId producer = graph.producer(placed.tensor);
  const bool made = !producer.is_none();
  return {graph.tensor_name(placed.tensor),
          graph.bytes(placed.tensor),
          placed.lifetime.lower,
          placed.lifetime.upper,
          placed.offset,
          made ? graph.op(producer) : std::string_view("(given)"),
          made ? graph.phase(producer) : std::string_view(),
          graph.is_output(placed.tensor)};
}

// JSON that may stand in an HTML script element: nothing in it can look like a tag.
std::string script_safe(const std::string& json) {
  std::string safe;
  safe.reserve(json.size());
  for (const char c : json) {
    if (c == '<')
      safe += "\\u003c";
    else if (c == '>')
      safe += "\\u003e";
    else
      safe += c;
  }
  return safe;
}

}  // namespace

std::string report_json(const Graph& graph, const Plan& plan) {
  const Timeline timeline = make_timeline(graph, plan);
  Json data = headline(graph, plan);
  data["before"] = timeline.before;
  data["after"] = timeline.after;
  data["phases_before"] = spans_json(timeline.phases_before);
  data["phases_after"] = spans_json(timeline.phases_after);
  data["peak_step"] = timeline.peak_step;
  Json schedule = Json::array();
  for (NodeId v : plan.schedule) schedule.push_back(graph.node_name(v));
  data["schedule"] = std::move(schedule);
  Json tensors = Json::array();
  for (const PlacedTensor& placed : timeline.tensors) tensors.push_back(tensor_json(graph, placed));
  data["placed"] = std::move(tensors);
  return data.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string html_report(const Graph& graph, const Plan& plan) {
  static constexpr std::string_view kPlace = "@@LOWTIDE_DATA@@";
  std::string page(assets::kReportPage);
  const std::size_t place = page.find(kPlace);
  LOWTIDE_CHECK(place != std::string::npos, "the report page has no place for its data");
  return page.replace(place, kPlace.size(), script_safe(report_json(graph, plan)));
}

}  // namespace lowtide
