#include "support/random_graph.h"

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "lowtide/graph/graph_builder.h"
#include "lowtide/model/lifetimes.h"
#include "lowtide/model/lower.h"

namespace lowtide::testing {
namespace {

// std::uniform_int_distribution differs between standard libraries; the engine does not.
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  std::uint64_t below(std::uint64_t end) { return engine_() % end; }
  bool chance(int percent) { return below(100) < static_cast<std::uint64_t>(percent); }

 private:
  std::mt19937_64 engine_;
};

}  // namespace

Graph random_graph(std::uint64_t seed, const RandomGraphOptions& options) {
  Random random(seed);
  GraphBuilder builder("random-" + std::to_string(seed));
  std::vector<std::string> readable;
  std::vector<Bytes> sizes;
  const auto add_tensor = [&](const std::string& name, TensorKind kind) {
    const Bytes bytes =
        random.chance(10) ? 0 : static_cast<Bytes>(random.below(options.max_bytes)) + 1;
    builder.add_tensor({name, bytes, kind, random.chance(10)});
    readable.push_back(name);
    sizes.push_back(bytes);
  };
  add_tensor("weight", TensorKind::kParameter);
  add_tensor("freeable", TensorKind::kActivation);
  for (int i = 0; i < options.num_nodes; ++i) {
    NodeSpec node{.name = "n" + std::to_string(i), .op = "op" + std::to_string(i % 3)};
    for (std::size_t k = random.below(4); k > 0; --k)
      node.inputs.push_back(readable[random.below(readable.size())]);
    if (i > 0 && random.chance(15)) node.after.push_back("n" + std::to_string(random.below(i)));
    if (random.chance(15)) node.mutates.push_back("weight");
    if (random.chance(20)) node.phase = "optimizer";
    if (options.workspaces && random.chance(25))
      node.workspace_bytes = random.below(options.max_bytes);
    for (std::size_t k = random.below(3); k > 0; --k) {
      add_tensor(node.name + "." + std::to_string(k), TensorKind::kActivation);
      node.outputs.push_back(readable.back());
    }
    if (options.reuses && !node.inputs.empty() && !node.outputs.empty() && random.chance(40))
      node.may_reuse.emplace_back(node.outputs[0], node.inputs[random.below(node.inputs.size())]);
    builder.add_node(node);
  }
  return std::move(builder).build();
}

Schedule random_schedule(const Graph& graph, std::uint64_t seed) {
  Random random(seed);
  IdVector<NodeId, std::size_t> waits_for(graph.num_nodes(), 0);
  std::vector<NodeId> ready;
  for (NodeId v : graph.nodes())
    if ((waits_for[v] = graph.predecessors(v).size()) == 0) ready.push_back(v);
  Schedule schedule;
  while (!ready.empty()) {
    std::swap(ready[random.below(ready.size())], ready.back());
    const NodeId v = ready.back();
    ready.pop_back();
    schedule.push_back(v);
    for (NodeId w : graph.successors(v))
      if (--waits_for[w] == 0) ready.push_back(w);
  }
  return schedule;
}

Plan with_reuses(const Graph& graph, const Schedule& schedule) {
  const LoweredOrder lowered = lower_order(graph, true);
  Plan plan;
  plan.schedule = schedule;
  for (const Reuse& reuse : effective_reuses(lowered.problem, schedule))
    plan.reuses.push_back({lowered.graph_tensor[reuse.fresh], lowered.graph_tensor[reuse.old]});
  return plan;
}

}  // namespace lowtide::testing
