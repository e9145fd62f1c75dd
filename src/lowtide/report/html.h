// The report: one self-contained HTML file (no network, no other file) that shows what a plan does,
// why its peak is what it is, and what would help (docs/report.md).
//
// The page (assets/) is static; C++ fills in styles, scripts and the data, one JSON object in a
// <script type="application/json"> with every '<' and '>' escaped, so that no name can end the
// element. The scripts set names as text, never as markup, and the page's content policy lets it
// load nothing.
#pragma once

#include <span>
#include <string>

#include "lowtide/graph/graph.h"
#include "lowtide/graph/plan.h"
#include "lowtide/report/report_data.h"

namespace lowtide {

// The page for plans of this graph that the verifier has passed, program order beside them; with no
// plan, for program order alone. About 200 kB of page, and the data of report_data.h.
std::string html_report(const Graph& graph, std::span<const ReportPlan> plans);

// For one plan.
std::string html_report(const Graph& graph, const Plan& plan);

}  // namespace lowtide
