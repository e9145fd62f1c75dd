// The report's data as one compact JSON object: all the page shows, computed here, so that the page
// only draws. Tensors and nodes are columns of arrays, named by index (docs/report.md describes the
// fields); about 100 bytes a tensor and plan beside the names.
#pragma once

#include <span>
#include <string>

#include "lowtide/graph/graph.h"
#include "lowtide/graph/plan.h"

namespace lowtide {

// A plan of the report's graph that the verifier has passed, and what to call it.
struct ReportPlan {
  std::string label;  // shown as it is, e.g. the name of the plan's file
  const Plan* plan;
};

// The first run shown is always program order: one of the plans if it keeps that order, else one
// made here, laid out as a caching allocator does (best fit), to measure the others against.
std::string report_json(const Graph& graph, std::span<const ReportPlan> plans);

}  // namespace lowtide
