// The two charts as SVG, for papers and slides: memory over the steps, and the address map.
#pragma once

#include <string>

#include "lowtide/graph/graph.h"
#include "lowtide/graph/plan.h"

namespace lowtide {

struct ChartSize {
  int width = 900;
  int height = 360;
};

// Program order, the plan, the bound, and the plan's phases. At most two points a pixel and curve,
// so that a curve of 100,000 steps is a small file.
std::string memory_svg(const Graph& graph, const Plan& plan, ChartSize size = {});

// Each placed tensor as a rectangle coloured by its part in the step, its name as the rectangle's
// title; rectangles that would be invisible (below a twentieth of a pixel) are left out.
std::string addresses_svg(const Graph& graph, const Plan& plan, ChartSize size = {});

}  // namespace lowtide
