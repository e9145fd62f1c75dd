#include <memory>
#include <optional>

#include "lowtide/base/text.h"
#include "lowtide/cli/commands.h"
#include "lowtide/cli/files.h"
#include "lowtide/cli/terminal.h"
#include "lowtide/graph/error.h"
#include "lowtide/io/file.h"
#include "lowtide/io/graph_json.h"
#include "lowtide/io/plan_json.h"
#include "lowtide/joint/program.h"
#include "lowtide/layout/program/address_program.h"
#include "lowtide/layout/shapes.h"
#include "lowtide/mip/lp_text.h"
#include "lowtide/model/bodies.h"
#include "lowtide/model/lifetimes.h"
#include "lowtide/model/lower.h"
#include "lowtide/order/program/step_program.h"
#include "lowtide/planner/options.h"

namespace lowtide::cli {
namespace {

struct ExportArguments {
  std::string graph_path;
  std::string plan_path;
  std::string lp_path;
  std::string program = "order";
  std::optional<Bytes> alignment;  // else the plan's, else what `lowtide plan` takes
  bool use_reuse = false;
  Reading reading;
};

std::string title(const Graph& graph, const char* what, Bytes unit) {
  return quote(graph.name()) + ": MODeL's program for " + what + "; sizes in " +
         std::to_string(unit) + " bytes";
}

ProgramNames names_of(const Graph& graph, const LoweredOrder& lowered) {
  ProgramNames names;
  names.node = [&](NodeId v) { return std::string(graph.node_name(v)); };
  names.tensor = [&](TensorId t) {
    return lowered.is_workspace(t)
               ? "workspace_of_" + std::string(graph.node_name(lowered.problem.producer[t]))
               : std::string(graph.tensor_name(lowered.graph_tensor[t]));
  };
  return names;
}

std::string order_program(const Graph& graph, const LoweredOrder& lowered) {
  const StepProgram program =
      build_step_program(lowered.problem, Timesteps::kSerial, names_of(graph, lowered));
  return mip::lp_text(program.model, title(graph, "the order", program.unit));
}

// An arena that the order can have: none above it is of interest.
Bytes quick_arena(const LayoutRequest& request) {
  return solve_request(request, *find_layout_solver("skyline"), Limits()).value();
}

std::string layout_program(const Graph& graph, const LoweredOrder& lowered,
                           const Schedule& schedule, Bytes alignment) {
  const LoweredLayout placing = lower_layout(lowered.problem, schedule, alignment);
  const ProgramNames names = names_of(graph, lowered);
  const ShapeProblem shapes = make_bodies(placing.request).problem;
  IdVector<BufferId, std::string> name(shapes.shapes.size());
  for (TensorId t : lowered.problem.tensors())
    if (std::string& text = name[placing.buffer[t]]; text.empty()) text = names.tensor(t);
  IdVector<BufferId, std::string> part_name;
  for (BufferId b : shapes.shapes.ids())
    for (std::size_t i = 0; i < shapes.shapes[b].parts.size(); ++i)
      part_name.push_back(i == 0 ? name[b] : name[b] + "." + std::to_string(i + 1));
  AddressOptions options;
  options.buffer_name = [&](BufferId b) { return part_name[b]; };
  const WholeAddressProgram program =
      build_whole_address_program(shapes, quick_arena(placing.request), options);
  return mip::lp_text(program.model, title(graph, "the addresses", program.unit));
}

// Pairs of tensors by steps: what the joint program's rows are at most, twice.
void check_joint_size(const OrderProblem& problem) {
  constexpr double kMaxRows = 2e7;
  const auto tensors = static_cast<double>(problem.num_tensors());
  if (tensors * tensors * static_cast<double>(problem.num_nodes()) > kMaxRows)
    throw InputError("program", "the joint program of " + std::to_string(problem.num_nodes()) +
                                    " nodes and " + std::to_string(problem.num_tensors()) +
                                    " tensors is too large to be written");
}

std::string joint_program(const Graph& graph, const LoweredOrder& lowered, Bytes alignment) {
  const OrderProblem& problem = lowered.problem;
  check_joint_size(problem);
  const Bytes arena =
      quick_arena(lower_layout(problem, program_order_of(problem), alignment).request);
  const JointProgram program =
      build_joint_program(problem, alignment, arena, names_of(graph, lowered));
  return mip::lp_text(program.model(), title(graph, "order and addresses", program.unit()));
}

void check_arguments(const ExportArguments& arguments) {
  const std::string& program = arguments.program;
  if (program != "order" && program != "layout" && program != "joint")
    throw InputError("program",
                     "unknown program " + quote(program) + "; known: order, layout, joint");
  if (program == "joint" && arguments.use_reuse)
    throw InputError("program", "the joint program has no --reuse");
  if (program != "layout" && !arguments.plan_path.empty())
    throw InputError("plan", "is for the program of addresses: --program layout");
  if (program == "order" && arguments.alignment)
    throw InputError("alignment", "is for programs with addresses: --program layout or joint");
  if (arguments.alignment) check_options({.alignment = *arguments.alignment});
}

std::string text_of(const ExportArguments& arguments) {
  check_arguments(arguments);
  const Graph graph = load_graph(arguments.graph_path, arguments.reading);
  std::optional<Plan> plan;
  if (!arguments.plan_path.empty())
    plan = load_verified_plan(arguments.plan_path, graph, arguments.reading);
  const LoweredOrder lowered = plan && !arguments.use_reuse
                                   ? lower_order(graph, plan->reuses)
                                   : lower_order(graph, arguments.use_reuse);
  const Bytes alignment =
      arguments.alignment.value_or(plan ? plan->alignment : PlanOptions().alignment);
  if (arguments.program == "order") return order_program(graph, lowered);
  check_sizes(graph, alignment);
  if (arguments.program == "joint") return joint_program(graph, lowered, alignment);
  const Schedule schedule = plan ? plan->schedule : program_order_of(lowered.problem);
  return layout_program(graph, lowered, schedule, alignment);
}

void run(const ExportArguments& arguments) {
  claim_outputs({arguments.graph_path, arguments.plan_path}, {arguments.lp_path});
  const std::string text = text_of(arguments);
  if (arguments.lp_path.empty())
    print_text(text);
  else
    write_file_atomically(arguments.lp_path, text);
}

}  // namespace

void add_export_lp_command(CLI::App& app, int*) {
  auto arguments = std::make_shared<ExportArguments>();
  CLI::App* command = app.add_subcommand(
      "export-lp",
      "Write one of the paper's integer programs of a graph as LP text, for any solver");
  add_file(command, "GRAPH", &arguments->graph_path, "A lowtide-graph JSON file")->required();
  add_file(command, "-o,--output", &arguments->lp_path, "Where to write it; else to stdout");
  command
      ->add_option("--program", arguments->program,
                   "Which: order, layout (of program order, or of --plan) or joint")
      ->capture_default_str();
  add_file(command, "--plan", &arguments->plan_path,
           "A plan of the graph whose order the layout program takes");
  command->add_option("--alignment", arguments->alignment,
                      "Offsets are multiples of it, in bytes; else the plan's, else 64");
  command->add_flag("--reuse", arguments->use_reuse,
                    "Let in-place operators write over an input (may_reuse)");
  add_reading(command, &arguments->reading);
  command->callback([arguments] { run(*arguments); });
}

}  // namespace lowtide::cli
