#include "lowtide/cli/plans.h"

#include "lowtide/cli/progress_line.h"
#include "lowtide/planner/planner.h"

namespace lowtide::cli {

Plan make_plan(const Graph& graph, PlanOptions options) {
  ProgressLine progress;
  options.progress = &progress;
  return plan(graph, options).plan;
}

}  // namespace lowtide::cli
