#include <memory>

#include "lowtide/base/text.h"
#include "lowtide/cli/commands.h"
#include "lowtide/cli/files.h"
#include "lowtide/cli/plans.h"
#include "lowtide/cli/terminal.h"
#include "lowtide/io/graph_json.h"
#include "lowtide/io/plan_json.h"

namespace lowtide::cli {
namespace {

constexpr int kViolated = 1;

struct VerifyArguments {
  std::string graph_path;
  std::string plan_path;
  Reading reading;
};

int run(const VerifyArguments& arguments) {
  const Graph graph = load_graph(arguments.graph_path, arguments.reading);
  const LoadedPlan loaded = load_plan(arguments.plan_path, graph, arguments.reading);
  if (print_violations(graph, loaded)) return kViolated;
  print("%s: the plan is right (%zu steps, peak %lld bytes, arena %lld bytes)\n",
        escaped(graph.name()).c_str(), loaded.plan.schedule.size(),
        static_cast<long long>(loaded.plan.peak_bytes),
        static_cast<long long>(loaded.plan.arena_bytes));
  return 0;
}

}  // namespace

void add_verify_command(CLI::App& app, int* exit_code) {
  auto arguments = std::make_shared<VerifyArguments>();
  CLI::App* command = app.add_subcommand(
      "verify",
      "Check a plan against its graph by independent code; exit 1 and a line per violation");
  add_file(command, "GRAPH", &arguments->graph_path, "A lowtide-graph JSON file")->required();
  add_file(command, "PLAN", &arguments->plan_path, "A lowtide-plan JSON file")->required();
  add_reading(command, &arguments->reading);
  command->callback([arguments, exit_code] { *exit_code = run(*arguments); });
}

}  // namespace lowtide::cli
