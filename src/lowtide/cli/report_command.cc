#include <cstdio>
#include <memory>

#include "lowtide/cli/commands.h"
#include "lowtide/graph/error.h"
#include "lowtide/io/file.h"
#include "lowtide/io/graph_json.h"
#include "lowtide/io/plan_json.h"
#include "lowtide/report/html.h"
#include "lowtide/verify/verifier.h"

namespace lowtide::cli {
namespace {

struct ReportArguments {
  std::string graph_path;
  std::string plan_path;
  std::string report_path;
};

void run(const ReportArguments& arguments) {
  const Graph graph = load_graph(arguments.graph_path);
  const Plan plan = load_matching_plan(arguments.plan_path, graph);
  const auto violations = verify(graph, plan, 1);
  if (!violations.empty())
    throw InputError(arguments.plan_path, "does not verify: " + violations.front().text);
  write_file_atomically(arguments.report_path, html_report(graph, plan));
  std::fprintf(stderr, "wrote %s\n", arguments.report_path.c_str());
}

}  // namespace

void add_report_command(CLI::App& app, int*) {
  auto arguments = std::make_shared<ReportArguments>();
  CLI::App* command = app.add_subcommand("report", "Write a self-contained HTML page about a plan");
  command->add_option("GRAPH", arguments->graph_path, "A lowtide-graph JSON file")->required();
  command->add_option("PLAN", arguments->plan_path, "A lowtide-plan JSON file")->required();
  command->add_option("-o,--output", arguments->report_path, "Where to write the page")->required();
  command->callback([arguments] { run(*arguments); });
}

}  // namespace lowtide::cli
