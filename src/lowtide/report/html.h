// The report: one self-contained HTML file (no network) that shows why the peak is what it is.
//
// The page (assets/report.html) is static; C++ adds the data, one JSON object in a <script
// type="application/json"> with every '<' escaped, so that no name can break out of it.
#pragma once

#include <string>

#include "lowtide/graph/graph.h"
#include "lowtide/graph/plan.h"

namespace lowtide {

// The whole page for a plan of this graph that the verifier has passed. About 60 bytes a tensor
// plus its name, beside a page of a few kilobytes.
std::string html_report(const Graph& graph, const Plan& plan);

// The data alone, as JSON text.
std::string report_json(const Graph& graph, const Plan& plan);

}  // namespace lowtide
