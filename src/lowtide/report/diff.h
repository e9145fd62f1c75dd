// Two plans compared, as text or as Markdown for a comment on a pull request: the figures, and the
// tensors that made the peak grow or shrink.
#pragma once

#include <string>

#include "lowtide/graph/graph.h"
#include "lowtide/graph/plan.h"

namespace lowtide {

// A graph and a plan of it.
struct DiffSide {
  const Graph& graph;
  const Plan& plan;
};

enum class DiffFormat { kText, kMarkdown };

// At most `most` tensors are named; the rest is summed up. Names are data: in Markdown they stand
// as code, so that none is a mention, a link or a cell of its own.
std::string diff_report(const DiffSide& before, const DiffSide& after, DiffFormat format,
                        std::size_t most = 15);

}  // namespace lowtide
