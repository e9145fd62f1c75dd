#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "lowtide/base/text.h"
#include "lowtide/cli/commands.h"
#include "lowtide/cli/files.h"
#include "lowtide/cli/plans.h"
#include "lowtide/cli/terminal.h"
#include "lowtide/graph/mutation_order.h"
#include "lowtide/io/graph_json.h"
#include "lowtide/report/inspect.h"
#include "lowtide/verify/simulator.h"

namespace lowtide::cli {
namespace {

struct InspectArguments {
  std::string graph_path;
  std::string plan_path;
  PlanOptions options{.time_limit_seconds = 10};
  Reading reading;
};

// As wide as the terminal, else the default.
TerminalSize terminal_size() {
  TerminalSize size;
  winsize window{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0)
    size.columns = window.ws_col - 1;
  return size;
}

// Reads and writes that a legal order may swap.
void warn_of_overtaking(const Graph& graph, const InspectArguments& arguments) {
  constexpr std::size_t kMostNamed = 10;
  const std::vector<AccessPair> unordered = unordered_accesses(graph);
  for (std::size_t i = 0; i < std::min(kMostNamed, unordered.size()); ++i)
    arguments.reading.warn(escaped(arguments.graph_path + ": " + describe(graph, unordered[i])));
  if (unordered.size() > kMostNamed)
    arguments.reading.warn("and " + std::to_string(unordered.size() - kMostNamed) + " more");
}

void run(const InspectArguments& arguments) {
  const Graph graph = load_graph(arguments.graph_path, arguments.reading);
  warn_of_overtaking(graph, arguments);
  print("%s: %zu nodes, %zu tensors\n", escaped(graph.name()).c_str(), graph.num_nodes(),
        graph.num_tensors());
  print("persistent          %s\n", format_bytes(graph.persistent_bytes()).c_str());
  print("program-order peak  %s\n",
        format_bytes(simulated_peak(graph, program_order(graph))).c_str());
  const bool given = !arguments.plan_path.empty();
  const Plan plan = given ? load_plan_to_show(arguments.plan_path, graph, arguments.reading)
                          : make_plan(graph, arguments.options);
  const Timeline timeline =
      given ? make_timeline(graph, plan) : make_timeline(graph, program_order_of(graph));
  print_text(inspect_text(graph, timeline, terminal_size()));
  const Limits limits = Limits::within_steps(kExplanationSteps);
  const BoundReason reason = explain_bound(graph, plan, limits);
  print("\n%s", bound_text(graph, timeline, plan, reason).c_str());
}

}  // namespace

void add_inspect_command(CLI::App& app, int*) {
  auto arguments = std::make_shared<InspectArguments>();
  CLI::App* command = app.add_subcommand(
      "inspect", "Draw a graph's memory over its steps, and what is live at the peak");
  add_file(command, "GRAPH", &arguments->graph_path, "A lowtide-graph JSON file")->required();
  add_file(command, "PLAN", &arguments->plan_path, "Draw this plan instead of program order");
  command
      ->add_option("--time-limit", arguments->options.time_limit_seconds,
                   "Seconds to find a good order and its bound")
      ->capture_default_str();
  add_reading(command, &arguments->reading);
  command->callback([arguments] { run(*arguments); });
}

}  // namespace lowtide::cli
