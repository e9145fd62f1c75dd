#include <array>
#include <filesystem>
#include <memory>

#include "lowtide/base/text.h"
#include "lowtide/cli/commands.h"
#include "lowtide/cli/files.h"
#include "lowtide/cli/plans.h"
#include "lowtide/cli/terminal.h"
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

constexpr std::array kCharts = {"memory", "addresses"};

struct ReportArguments {
  std::string graph_path;
  std::vector<std::string> plan_paths;
  std::string report_path;
  std::string svg_path;
  std::string trace_path;
  std::string csv_path;
  std::string dot_path;
  PlanOptions options{.time_limit_seconds = 10};
  Reading reading;
};

std::vector<Plan> plans_to_show(const Graph& graph, const ReportArguments& arguments) {
  std::vector<Plan> plans;
  for (const std::string& path : arguments.plan_paths)
    plans.push_back(load_plan_to_show(path, graph, arguments.reading));
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

void claim(const ReportArguments& arguments) {
  std::vector<std::string> inputs = arguments.plan_paths;
  inputs.push_back(arguments.graph_path);
  std::vector<std::string> outputs = {arguments.report_path, arguments.trace_path,
                                      arguments.csv_path, arguments.dot_path};
  if (!arguments.svg_path.empty())
    for (const char* chart : kCharts) outputs.push_back(chart_path(arguments.svg_path, chart));
  claim_outputs(inputs, outputs);
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
  note("wrote %s\n", escaped(path).c_str());
}

void run(const ReportArguments& arguments) {
  const ReportArguments& a = arguments;
  if (a.report_path.empty() && a.svg_path.empty() && a.trace_path.empty() && a.csv_path.empty() &&
      a.dot_path.empty())
    throw InputError("report", "say what to write: -o, --svg, --trace, --csv or --dot");
  claim(a);
  const Graph graph = load_graph(a.graph_path, a.reading);
  const std::vector<Plan> plans = plans_to_show(graph, a);
  const Plan& first = plans.front();
  if (!a.report_path.empty()) write(a.report_path, page(graph, plans, a));
  if (!a.svg_path.empty()) {
    write(chart_path(a.svg_path, kCharts[0]), memory_svg(graph, first));
    write(chart_path(a.svg_path, kCharts[1]), addresses_svg(graph, first));
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
  add_file(command, "GRAPH", &arguments->graph_path, "A lowtide-graph JSON file")->required();
  add_file(command, "PLAN", &arguments->plan_paths,
           "lowtide-plan JSON files to show side by side; without one, a plan is made");
  add_file(command, "-o,--output", &arguments->report_path, "Where to write the page");
  add_file(command, "--svg", &arguments->svg_path,
           "NAME: the charts as NAME-memory.svg and NAME-addresses.svg (first plan)");
  add_file(command, "--trace", &arguments->trace_path,
           "A trace for Perfetto or chrome://tracing (first plan)");
  add_file(command, "--csv", &arguments->csv_path, "The tensors as CSV (first plan)");
  add_file(command, "--dot", &arguments->dot_path,
           "The nodes and tensors around the peak for Graphviz (first plan)");
  command
      ->add_option("--time-limit", arguments->options.time_limit_seconds,
                   "Seconds for a plan that is made")
      ->capture_default_str();
  add_reading(command, &arguments->reading);
  command->callback([arguments] { run(*arguments); });
}

}  // namespace lowtide::cli
