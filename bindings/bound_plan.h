// A plan as Python holds it.
#pragma once

#include <nanobind/nanobind.h>

#include "lowtide/planner/planner.h"

namespace lowtide::python {

// A plan with its graph, so that it can speak in names; times are 0 for a plan that was loaded.
struct BoundPlan {
  nanobind::object graph_object;
  PlanOutcome outcome;

  const Graph& graph() const { return nanobind::cast<const Graph&>(graph_object); }
  const Plan& plan() const { return outcome.plan; }
};

}  // namespace lowtide::python
