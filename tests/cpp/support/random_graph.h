// Seeded random graphs that use every feature of the format: for property tests.
#pragma once

#include <cstdint>

#include "lowtide/graph/graph.h"
#include "lowtide/graph/plan.h"

namespace lowtide::testing {

struct RandomGraphOptions {
  int num_nodes = 10;
  bool workspaces = true;
  bool reuses = true;
  Bytes max_bytes = 20;
};

// Same seed, same graph, on every platform.
Graph random_graph(std::uint64_t seed, const RandomGraphOptions& options = {});

// A random legal order of its nodes.
Schedule random_schedule(const Graph& graph, std::uint64_t seed);

// A plan of that order with every reuse that takes effect, without offsets or claims.
Plan with_reuses(const Graph& graph, const Schedule& schedule);

}  // namespace lowtide::testing
