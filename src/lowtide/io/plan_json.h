// Plans as JSON, "format": "lowtide-plan", version 1 (docs/formats.md). Names are resolved against
// the plan's graph.
#pragma once

#include <string>
#include <vector>

#include "lowtide/graph/graph.h"
#include "lowtide/graph/plan.h"
#include "lowtide/io/reading.h"

namespace lowtide {

struct LoadedPlan {
  Plan plan;
  // Names that the graph does not have, another graph's name, numbers that no plan can have (2^63
  // and above): a well-formed plan that does not fit this graph. One line each; what can be
  // resolved is in `plan`, whose bounds are claims.
  std::vector<std::string> mismatches;
};

// Throws InputError where the file is no plan at all (not JSON, wrong format, wrong types).
LoadedPlan load_plan(const std::string& path, const Graph& graph, const Reading& reading = {});
LoadedPlan parse_plan(const std::string& text, const std::string& where, const Graph& graph,
                      const Reading& reading = {});

// As load_plan, but a mismatch or a violation is an InputError too: what comes back has passed the
// verifier. Of the violations the first `most_named` are named.
Plan load_verified_plan(const std::string& path, const Graph& graph, const Reading& reading = {},
                        std::size_t most_named = 1);

std::string format_plan(const Graph& graph, const Plan& plan);

// Written to a temporary file and renamed.
void save_plan(const Graph& graph, const Plan& plan, const std::string& path);

}  // namespace lowtide
