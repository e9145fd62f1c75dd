// `lowtide check`: a memory budget for CI.
#include <memory>

#include "lowtide/base/text.h"
#include "lowtide/cli/commands.h"
#include "lowtide/cli/files.h"
#include "lowtide/cli/plans.h"
#include "lowtide/cli/size_text.h"
#include "lowtide/cli/terminal.h"
#include "lowtide/graph/error.h"
#include "lowtide/io/graph_json.h"
#include "lowtide/report/bound_reason.h"
#include "lowtide/report/claims.h"
#include "lowtide/report/contributors.h"

namespace lowtide::cli {
namespace {

constexpr int kOverBudget = 1;
constexpr int kNotValid = 1;
constexpr std::size_t kContributors = 3;

struct CheckArguments {
  std::string graph_path;
  std::string plan_path;
  std::string max_peak;
  std::string max_arena;
  bool with_persistent = false;
  PlanOptions options{.time_limit_seconds = 10};
  Reading reading;
};

// One line; true if the value is within its budget.
bool check_value(const std::string& what, Bytes value, Bytes budget) {
  const bool fits = value <= budget;
  const Bytes distance = fits ? budget - value : value - budget;
  print("%s: %s %s, budget %s: %s %s\n", fits ? "ok" : "over", what.c_str(),
        format_bytes(value).c_str(), format_bytes(budget).c_str(), format_bytes(distance).c_str(),
        fits ? "to spare" : "too much");
  return fits;
}

// Whether another order could meet the budget: as far as this run knows, and what the file says.
void explain_peak(const Graph& graph, const Plan& plan, Bytes budget) {
  const Bytes proved = proved_peak_bound(graph, plan, Limits::within_steps(kExplanationSteps));
  if (proved > budget)
    print("no order of this graph can meet it: every one needs at least %s\n",
          format_bytes(proved).c_str());
  else if (plan.peak_lower_bound_bytes > budget)
    print("claimed by the file, not proved here: every order needs at least %s\n",
          format_bytes(plan.peak_lower_bound_bytes).c_str());
  const Timeline timeline = make_timeline(graph, plan);
  print("the peak is at %s; the largest tensors there:\n", peak_place(graph, timeline).c_str());
  for (const std::string& line : largest_at_peak(graph, timeline, kContributors))
    print("  %s\n", line.c_str());
}

int check(const Graph& graph, const Plan& checked, const CheckArguments& arguments) {
  const Bytes beside = arguments.with_persistent ? graph.persistent_bytes() : 0;
  const std::string suffix = arguments.with_persistent ? " with persistent" : "";
  bool fits = true;
  print("%s\n", escaped(graph.name()).c_str());
  if (!arguments.max_peak.empty()) {
    const Bytes budget = parse_size(arguments.max_peak, "--max-peak");
    fits = check_value("peak" + suffix, checked.peak_bytes + beside, budget);
    if (!fits) explain_peak(graph, checked, budget - beside);
  }
  if (!arguments.max_arena.empty()) {
    const Bytes budget = parse_size(arguments.max_arena, "--max-arena");
    fits = check_value("arena" + suffix, checked.arena_bytes + beside, budget) && fits;
  }
  return fits ? 0 : kOverBudget;
}

int run(const CheckArguments& arguments) {
  if (arguments.max_peak.empty() && arguments.max_arena.empty())
    throw InputError("check", "give a budget: --max-peak SIZE or --max-arena SIZE");
  const Graph graph = load_graph(arguments.graph_path, arguments.reading);
  if (arguments.plan_path.empty())
    return check(graph, make_plan(graph, arguments.options), arguments);
  const LoadedPlan loaded = load_plan(arguments.plan_path, graph, arguments.reading);
  if (!print_violations(graph, loaded)) return check(graph, loaded.plan, arguments);
  note("lowtide: %s: the plan is not valid\n", escaped(arguments.plan_path).c_str());
  return kNotValid;
}

}  // namespace

void add_check_command(CLI::App& app, int* exit_code) {
  auto arguments = std::make_shared<CheckArguments>();
  PlanOptions& options = arguments->options;
  CLI::App* command = app.add_subcommand(
      "check", "Hold a graph to a memory budget; exit 1 with the largest tensors if it is over");
  add_file(command, "GRAPH", &arguments->graph_path, "A lowtide-graph JSON file")->required();
  command->add_option("--max-peak", arguments->max_peak, "Budget for the peak, e.g. 2.1GiB");
  command->add_option("--max-arena", arguments->max_arena, "Budget for the arena");
  command->add_flag("--with-persistent", arguments->with_persistent,
                    "Count weights, state and inputs as well");
  add_file(command, "--plan", &arguments->plan_path, "Check this plan instead of making one");
  command->add_option("--order", options.order, "Order solver; 'given' checks program order")
      ->capture_default_str();
  command->add_option("--time-limit", options.time_limit_seconds, "Seconds for the searches")
      ->capture_default_str();
  add_reading(command, &arguments->reading);
  command->callback([arguments, exit_code] { *exit_code = run(*arguments); });
}

}  // namespace lowtide::cli
