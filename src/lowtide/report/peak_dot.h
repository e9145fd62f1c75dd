// The region around the peak as a Graphviz graph: the nodes that run around it, the producers and
// next readers of the largest tensors in memory there, and these tensors as edges, thicker by size.
#pragma once

#include <string>

#include "lowtide/graph/graph.h"
#include "lowtide/report/timeline.h"

namespace lowtide {

struct DotRegion {
  Step steps_around = 8;     // nodes at most so many steps from the peak
  std::size_t tensors = 20;  // the largest at the peak
};

std::string peak_dot(const Graph& graph, const Timeline& timeline, DotRegion region = {});

}  // namespace lowtide
