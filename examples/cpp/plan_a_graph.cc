// Builds a small graph, plans it, and prints when each node runs and where each tensor lives.
//
//   cmake -S examples/cpp -B build/example -DCMAKE_PREFIX_PATH=<where lowtide is installed>
//   cmake --build build/example && build/example/plan_a_graph
#include <iostream>

#include "lowtide/graph/graph_builder.h"
#include "lowtide/planner/planner.h"

// Two branches from one input: each makes a large tensor and boils it down to a small one. Written
// with both large tensors first, they are live together; one branch after the other halves the
// peak.
lowtide::Graph two_branches() {
  lowtide::GraphBuilder builder("two-branches");
  builder.add_tensor({.name = "x", .bytes = 1024, .kind = lowtide::TensorKind::kInput});
  for (const char* branch : {"left", "right"}) {
    builder.add_tensor({.name = std::string(branch) + ".large", .bytes = 1 << 20});
    builder.add_tensor({.name = std::string(branch) + ".small", .bytes = 64});
  }
  builder.add_tensor({.name = "sum", .bytes = 64, .output = true});
  for (const char* branch : {"left", "right"})
    builder.add_node({.name = std::string("expand.") + branch,
                      .inputs = {"x"},
                      .outputs = {std::string(branch) + ".large"}});
  for (const char* branch : {"left", "right"})
    builder.add_node({.name = std::string("reduce.") + branch,
                      .inputs = {std::string(branch) + ".large"},
                      .outputs = {std::string(branch) + ".small"}});
  builder.add_node({.name = "add", .inputs = {"left.small", "right.small"}, .outputs = {"sum"}});
  return std::move(builder).build();
}

int main() {
  const lowtide::Graph graph = two_branches();
  const lowtide::PlanOutcome outcome = lowtide::plan(graph, {.time_limit_seconds = 10});
  const lowtide::Plan& plan = outcome.plan;
  for (const lowtide::NodeId v : plan.schedule) std::cout << graph.node_name(v) << '\n';
  for (const lowtide::TensorId t : graph.tensors())
    if (plan.offsets[t] != lowtide::kNoOffset)
      std::cout << graph.tensor_name(t) << " at " << plan.offsets[t] << '\n';
  std::cout << "peak " << plan.peak_bytes << " bytes (program order " << outcome.program_peak_bytes
            << "), " << lowtide::to_string(plan.order_status) << "; arena " << plan.arena_bytes
            << '\n';
}
