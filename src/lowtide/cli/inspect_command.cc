#include <cstdio>
#include <memory>

#include "lowtide/base/text.h"
#include "lowtide/cli/commands.h"
#include "lowtide/io/graph_json.h"
#include "lowtide/verify/simulator.h"

namespace lowtide::cli {
namespace {

void run(const std::string& path) {
  const Graph graph = load_graph(path);
  std::printf("%s: %zu nodes, %zu tensors\n", one_line(graph.name()).c_str(), graph.num_nodes(),
              graph.num_tensors());
  std::printf("persistent          %s\n", format_bytes(graph.persistent_bytes()).c_str());
  std::printf("program-order peak  %s\n",
              format_bytes(simulated_peak(graph, program_order(graph))).c_str());
}

}  // namespace

void add_inspect_command(CLI::App& app, int*) {
  auto path = std::make_shared<std::string>();
  CLI::App* command =
      app.add_subcommand("inspect", "Show where a graph's peak is and what is live there");
  command->add_option("GRAPH", *path, "A lowtide-graph JSON file")->required();
  command->callback([path] { run(*path); });
}

}  // namespace lowtide::cli
