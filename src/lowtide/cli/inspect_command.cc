#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <memory>

#include "lowtide/base/text.h"
#include "lowtide/cli/commands.h"
#include "lowtide/cli/plans.h"
#include "lowtide/io/graph_json.h"
#include "lowtide/report/inspect.h"
#include "lowtide/verify/simulator.h"

namespace lowtide::cli {
namespace {

struct InspectArguments {
  std::string graph_path;
  std::string plan_path;
};

// As wide as the terminal, else the default.
TerminalSize terminal_size() {
  TerminalSize size;
  winsize window{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0)
    size.columns = window.ws_col - 1;
  return size;
}

void run(const InspectArguments& arguments) {
  const Graph graph = load_graph(arguments.graph_path);
  std::printf("%s: %zu nodes, %zu tensors\n", one_line(graph.name()).c_str(), graph.num_nodes(),
              graph.num_tensors());
  std::printf("persistent          %s\n", format_bytes(graph.persistent_bytes()).c_str());
  std::printf("program-order peak  %s\n",
              format_bytes(simulated_peak(graph, program_order(graph))).c_str());
  const Timeline timeline =
      arguments.plan_path.empty()
          ? make_timeline(graph, program_order_of(graph))
          : make_timeline(graph, load_verified_plan(arguments.plan_path, graph));
  std::fputs(inspect_text(graph, timeline, terminal_size()).c_str(), stdout);
}

}  // namespace

void add_inspect_command(CLI::App& app, int*) {
  auto arguments = std::make_shared<InspectArguments>();
  CLI::App* command = app.add_subcommand(
      "inspect", "Draw a graph's memory over its steps, and what is live at the peak");
  command->add_option("GRAPH", arguments->graph_path, "A lowtide-graph JSON file")->required();
  command->add_option("PLAN", arguments->plan_path, "Draw this plan instead of program order");
  command->callback([arguments] { run(*arguments); });
}

}  // namespace lowtide::cli
