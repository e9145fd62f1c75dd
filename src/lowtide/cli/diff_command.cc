// `lowtide diff`: which tensors made the peak grow.
#include <memory>

#include "lowtide/cli/commands.h"
#include "lowtide/cli/files.h"
#include "lowtide/cli/plans.h"
#include "lowtide/cli/terminal.h"
#include "lowtide/graph/error.h"
#include "lowtide/io/graph_json.h"
#include "lowtide/report/diff.h"

namespace lowtide::cli {
namespace {

struct DiffArguments {
  std::string old_path;
  std::string new_path;
  std::vector<std::string> graph_paths;  // the graphs of two plans; none: OLD and NEW are graphs
  bool markdown = false;
  PlanOptions options{.time_limit_seconds = 10};
  Reading reading;
};

// Two graphs: both are planned. Two plans: of one graph, or each of its own.
void run(const DiffArguments& arguments) {
  const bool are_plans = !arguments.graph_paths.empty();
  const Graph before =
      load_graph(are_plans ? arguments.graph_paths.front() : arguments.old_path, arguments.reading);
  const Graph after =
      load_graph(are_plans ? arguments.graph_paths.back() : arguments.new_path, arguments.reading);
  const Plan old_plan = are_plans ? load_plan_to_show(arguments.old_path, before, arguments.reading)
                                  : make_plan(before, arguments.options);
  const Plan new_plan = are_plans ? load_plan_to_show(arguments.new_path, after, arguments.reading)
                                  : make_plan(after, arguments.options);
  const DiffFormat format = arguments.markdown ? DiffFormat::kMarkdown : DiffFormat::kText;
  print_text(diff_report({before, old_plan}, {after, new_plan}, format));
}

}  // namespace

void add_diff_command(CLI::App& app, int*) {
  auto arguments = std::make_shared<DiffArguments>();
  PlanOptions& options = arguments->options;
  CLI::App* command = app.add_subcommand(
      "diff", "Compare two graphs, or two plans (with --graph): which tensors made the peak grow");
  add_file(command, "OLD", &arguments->old_path, "A graph, or a plan")->required();
  add_file(command, "NEW", &arguments->new_path, "A graph, or a plan")->required();
  add_file(command, "--graph", &arguments->graph_paths,
           "OLD and NEW are plans of this graph (give two if theirs differ)")
      ->expected(1, 2);
  command->add_flag("--markdown", arguments->markdown, "For a comment on a pull request");
  command->add_option("--order", options.order, "Order solver for graphs")->capture_default_str();
  command->add_option("--time-limit", options.time_limit_seconds, "Seconds for each graph")
      ->capture_default_str();
  add_reading(command, &arguments->reading);
  command->callback([arguments] { run(*arguments); });
}

}  // namespace lowtide::cli
