#include <cstdio>
#include <filesystem>
#include <memory>

#include "lowtide/cli/commands.h"
#include "lowtide/graph/error.h"
#include "lowtide/io/file.h"
#include "lowtide/io/graph_json.h"
#include "lowtide/io/plan_json.h"
#include "lowtide/planner/planner.h"
#include "lowtide/report/html.h"
#include "lowtide/verify/verifier.h"

namespace lowtide::cli {
namespace {

struct ReportArguments {
  std::string graph_path;
  std::vector<std::string> plan_paths;
  std::string report_path;
  PlanOptions options{.time_limit_seconds = 10};
};

Plan verified_plan(const Graph& graph, const std::string& path) {
  Plan plan = load_matching_plan(path, graph);
  const auto violations = verify(graph, plan, 1);
  if (!violations.empty()) throw InputError(path, "does not verify: " + violations.front().text);
  return plan;
}

std::vector<Plan> plans_to_show(const Graph& graph, const ReportArguments& arguments) {
  std::vector<Plan> plans;
  for (const std::string& path : arguments.plan_paths) plans.push_back(verified_plan(graph, path));
  if (plans.empty()) plans.push_back(plan(graph, arguments.options).plan);
  return plans;
}

// "some/folder/model.plan.json" -> "model.plan"
std::string label_of(const std::string& path) {
  return std::filesystem::path(path).stem().string();
}

void run(const ReportArguments& arguments) {
  const Graph graph = load_graph(arguments.graph_path);
  const std::vector<Plan> plans = plans_to_show(graph, arguments);
  std::vector<ReportPlan> shown;
  for (std::size_t i = 0; i < plans.size(); ++i)
    shown.push_back({plans.size() > 1 ? label_of(arguments.plan_paths[i]) : "the plan", &plans[i]});
  write_file_atomically(arguments.report_path, html_report(graph, shown));
  std::fprintf(stderr, "wrote %s\n", arguments.report_path.c_str());
}

}  // namespace

void add_report_command(CLI::App& app, int*) {
  auto arguments = std::make_shared<ReportArguments>();
  CLI::App* command = app.add_subcommand("report", "Write a self-contained HTML page about a plan");
  command->add_option("GRAPH", arguments->graph_path, "A lowtide-graph JSON file")->required();
  command->add_option("PLAN", arguments->plan_paths,
                      "lowtide-plan JSON files to show side by side; without one, a plan is made");
  command->add_option("-o,--output", arguments->report_path, "Where to write the page")->required();
  command
      ->add_option("--time-limit", arguments->options.time_limit_seconds,
                   "Seconds for a plan that is made")
      ->capture_default_str();
  command->callback([arguments] { run(*arguments); });
}

}  // namespace lowtide::cli
