#include <cstdio>
#include <filesystem>
#include <memory>

#include "lowtide/cli/commands.h"
#include "lowtide/cli/plans.h"
#include "lowtide/graph/error.h"
#include "lowtide/io/file.h"
#include "lowtide/io/graph_json.h"
#include "lowtide/report/html.h"
#include "lowtide/report/peak_dot.h"
#include "lowtide/report/svg.h"
#include "lowtide/report/tensor_csv.h"
#include "lowtide/report/trace_json.h"

namespace lowtide::cli {
namespace {

struct ReportArguments {
  std::string graph_path;
  std::vector<std::string> plan_paths;
  std::string report_path;
  std::string svg_path;
  std::string trace_path;
  std::string csv_path;
  std::string dot_path;
  PlanOptions options{.time_limit_seconds = 10};
};

std::vector<Plan> plans_to_show(const Graph& graph, const ReportArguments& arguments) {
  std::vector<Plan> plans;
  for (const std::string& path : arguments.plan_paths)
    plans.push_back(load_verified_plan(path, graph));
  if (plans.empty()) plans.push_back(make_plan(graph, arguments.options));
  return plans;
}

// "some/folder/model.plan.json" -> "model.plan"
std::string label_of(const std::string& path) {
  return std::filesystem::path(path).stem().string();
}

// "charts.svg" and "memory" -> "charts-memory.svg"
std::string chart_path(const std::string& path, const std::string& chart) {
  std::filesystem::path result(path);
  if (result.extension() == ".svg") result.replace_extension();
  return result.string() + "-" + chart + ".svg";
}

std::string page(const Graph& graph, const std::vector<Plan>& plans,
                 const ReportArguments& arguments) {
  std::vector<ReportPlan> shown;
  for (std::size_t i = 0; i < plans.size(); ++i)
    shown.push_back({plans.size() > 1 ? label_of(arguments.plan_paths[i]) : "the plan", &plans[i]});
  return html_report(graph, shown);
}

void write(const std::string& path, const std::string& text) {
  write_file_atomically(path, text);
  std::fprintf(stderr, "wrote %s\n", path.c_str());
}

void run(const ReportArguments& arguments) {
  const ReportArguments& a = arguments;
  if (a.report_path.empty() && a.svg_path.empty() && a.trace_path.empty() && a.csv_path.empty() &&
      a.dot_path.empty())
    throw InputError("report", "say what to write: -o, --svg, --trace, --csv or --dot");
  const Graph graph = load_graph(a.graph_path);
  const std::vector<Plan> plans = plans_to_show(graph, a);
  const Plan& first = plans.front();
  if (!a.report_path.empty()) write(a.report_path, page(graph, plans, a));
  if (!a.svg_path.empty()) {
    write(chart_path(a.svg_path, "memory"), memory_svg(graph, first));
    write(chart_path(a.svg_path, "addresses"), addresses_svg(graph, first));
  }
  if (!a.trace_path.empty()) write(a.trace_path, trace_json(graph, first));
  if (!a.csv_path.empty()) write(a.csv_path, tensor_csv(graph, first));
  if (!a.dot_path.empty()) write(a.dot_path, peak_dot(graph, make_timeline(graph, first)));
}

}  // namespace

void add_report_command(CLI::App& app, int*) {
  auto arguments = std::make_shared<ReportArguments>();
  CLI::App* command =
      app.add_subcommand("report", "Write a self-contained HTML page about plans, or their charts");
  command->add_option("GRAPH", arguments->graph_path, "A lowtide-graph JSON file")->required();
  command->add_option("PLAN", arguments->plan_paths,
                      "lowtide-plan JSON files to show side by side; without one, a plan is made");
  command->add_option("-o,--output", arguments->report_path, "Where to write the page");
  command->add_option("--svg", arguments->svg_path,
                      "NAME: the charts as NAME-memory.svg and NAME-addresses.svg (first plan)");
  command->add_option("--trace", arguments->trace_path,
                      "A trace for Perfetto or chrome://tracing (first plan)");
  command->add_option("--csv", arguments->csv_path, "The tensors as CSV (first plan)");
  command->add_option("--dot", arguments->dot_path,
                      "The nodes and tensors around the peak for Graphviz (first plan)");
  command
      ->add_option("--time-limit", arguments->options.time_limit_seconds,
                   "Seconds for a plan that is made")
      ->capture_default_str();
  command->callback([arguments] { run(*arguments); });
}

}  // namespace lowtide::cli
