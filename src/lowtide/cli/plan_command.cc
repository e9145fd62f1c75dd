#include <cstdio>
#include <memory>

#include "lowtide/base/text.h"
#include "lowtide/cli/commands.h"
#include "lowtide/cli/files.h"
#include "lowtide/cli/interrupts.h"
#include "lowtide/cli/progress_line.h"
#include "lowtide/cli/terminal.h"
#include "lowtide/io/graph_json.h"
#include "lowtide/io/json_fields.h"
#include "lowtide/io/plan_json.h"
#include "lowtide/planner/planner.h"

namespace lowtide::cli {
namespace {

struct PlanArguments {
  std::string graph_path;
  std::string plan_path;
  bool json = false;
  PlanOptions options;
  Reading reading;
};

void print_json(const Graph& graph, const PlanOutcome& outcome, bool joint) {
  const Plan& plan = outcome.plan;
  OrderedJson object = {{"graph", graph.name()},
                        {"nodes", graph.num_nodes()},
                        {"tensors", graph.num_tensors()},
                        {"persistent_bytes", graph.persistent_bytes()},
                        {"program_peak_bytes", outcome.program_peak_bytes},
                        {"peak_bytes", plan.peak_bytes},
                        {"peak_lower_bound_bytes", plan.peak_lower_bound_bytes},
                        {"order_status", to_string(plan.order_status)},
                        {"arena_bytes", plan.arena_bytes},
                        {"arena_lower_bound_bytes", plan.arena_lower_bound_bytes},
                        {"layout_status", to_string(plan.layout_status)},
                        {"order_seconds", outcome.order_seconds},
                        {"layout_seconds", outcome.layout_seconds},
                        {"total_seconds", outcome.total_seconds}};
  if (joint) object["joint_lower_bound_bytes"] = outcome.joint_lower_bound_bytes;
  print("%s\n", json_text(object).c_str());
}

double percent(Bytes part, Bytes whole) {
  return whole > 0 ? 100.0 * static_cast<double>(part) / static_cast<double>(whole) : 0;
}

void print_line(const char* label, Bytes bytes, const std::string& remark) {
  print("%-14s %12s  %15lld B  %s\n", label, format_bytes(bytes).c_str(),
        static_cast<long long>(bytes), remark.c_str());
}

std::string proof(Status status, Bytes value, Bytes bound) {
  if (status == Status::kOptimal) return "proven least";
  char text[80];
  std::snprintf(text, sizeof text, "at least %s, gap %.3f %%", format_bytes(bound).c_str(),
                percent(value - bound, value));
  return text;
}

void print_text(const Graph& graph, const PlanOutcome& outcome, bool joint) {
  const Plan& plan = outcome.plan;
  char saved[64];
  std::snprintf(saved, sizeof saved, "%.2f %% less, ",
                percent(outcome.program_peak_bytes - plan.peak_bytes, outcome.program_peak_bytes));
  print("%s: %zu nodes, %zu tensors\n", escaped(graph.name()).c_str(), graph.num_nodes(),
        graph.num_tensors());
  print_line("persistent", graph.persistent_bytes(), "weights, state, inputs: beside the plan");
  print_line("program order", outcome.program_peak_bytes, "peak as written");
  print_line("planned peak", plan.peak_bytes,
             saved + proof(plan.order_status, plan.peak_bytes, plan.peak_lower_bound_bytes));
  print_line("arena", plan.arena_bytes,
             proof(plan.layout_status, plan.arena_bytes, plan.arena_lower_bound_bytes) +
                 " for this order");
  if (joint)
    print_line("joint", outcome.joint_lower_bound_bytes,
               "no arena is lower, whatever the order: " +
                   proof(plan.arena_bytes == outcome.joint_lower_bound_bytes ? Status::kOptimal
                                                                             : Status::kFeasible,
                         plan.arena_bytes, outcome.joint_lower_bound_bytes));
  print("%.3f s (order %.3f s, layout %.3f s), verified\n", outcome.total_seconds,
        outcome.order_seconds, outcome.layout_seconds);
}

void run(const PlanArguments& arguments) {
  claim_outputs({arguments.graph_path}, {arguments.plan_path});
  const Graph graph = load_graph(arguments.graph_path, arguments.reading);
  const Interruptible interruptible;  // the plan's file is written whatever happens
  PlanOptions options = arguments.options;
  options.cancelled = interruptible.flag();
  PlanOutcome outcome;
  {
    ProgressLine progress;
    options.progress = &progress;
    outcome = plan(graph, options);
  }
  if (!arguments.plan_path.empty()) save_plan(graph, outcome.plan, arguments.plan_path);
  arguments.json ? print_json(graph, outcome, options.joint)
                 : print_text(graph, outcome, options.joint);
}

}  // namespace

void add_plan_command(CLI::App& app, int*) {
  auto arguments = std::make_shared<PlanArguments>();
  PlanOptions& options = arguments->options;
  CLI::App* command =
      app.add_subcommand("plan", "Order a graph's nodes and place its tensors; verified");
  add_file(command, "GRAPH", &arguments->graph_path, "A lowtide-graph JSON file")->required();
  add_file(command, "-o,--output", &arguments->plan_path, "Where to write the plan");
  command->add_option("--time-limit", options.time_limit_seconds, "Seconds for the searches")
      ->capture_default_str();
  command->add_option("--step-limit", options.step_limit,
                      "Steps for each search: reproducible whatever the machine");
  command->add_option("--order", options.order, "Order solver; see `lowtide solvers`")
      ->capture_default_str();
  command->add_option("--layout", options.layout, "Layout solver; see `lowtide solvers`")
      ->capture_default_str();
  command->add_option("--alignment", options.alignment, "Offsets are multiples of it, in bytes")
      ->capture_default_str();
  command->add_option("--threads", options.threads, "Threads for the searches")
      ->capture_default_str();
  command->add_option("--seed", options.seed, "For randomised searches")->capture_default_str();
  CLI::Option* rewrite =
      command
          ->add_option("--rewrite", options.rewrite,
                       "Rewriting passes before the order, with commas; see `lowtide solvers`")
          ->delimiter(',')
          ->capture_default_str();
  command
      ->add_flag_callback(
          "--no-rewrite", [&options] { options.rewrite.clear(); }, "No passes")
      ->excludes(rewrite);
  command->add_flag("--reuse", options.use_reuse,
                    "Let in-place operators write over an input (may_reuse)");
  command->add_flag("--joint", options.joint,
                    "Least arena over orders and addresses at once (equation 9)");
  command->add_flag("--json", arguments->json, "Print one JSON object");
  add_reading(command, &arguments->reading);
  command->callback([arguments] { run(*arguments); });
}

}  // namespace lowtide::cli
