#include <cstdio>
#include <memory>

#include "lowtide/base/text.h"
#include "lowtide/cli/commands.h"
#include "lowtide/graph/error.h"
#include "lowtide/io/file.h"
#include "lowtide/io/graph_json.h"
#include "lowtide/mip/lp_text.h"
#include "lowtide/model/lower.h"
#include "lowtide/order/step_program.h"

namespace lowtide::cli {
namespace {

struct ExportArguments {
  std::string graph_path;
  std::string lp_path;
  std::string program = "order";
  bool use_reuse = false;
};

std::string order_program(const Graph& graph, bool use_reuse) {
  const LoweredOrder lowered = lower_order(graph, use_reuse);
  ProgramNames names;
  names.node = [&](NodeId v) { return std::string(graph.node_name(v)); };
  names.tensor = [&](TensorId t) {
    return std::string(graph.tensor_name(lowered.graph_tensor[t]));
  };
  const StepProgram program = build_step_program(lowered.problem, Timesteps::kSerial, names);
  return mip::lp_text(program.model, graph.name() + ": MODeL's program for the order; sizes in " +
                                         std::to_string(program.unit) + " bytes");
}

std::string text_of(const ExportArguments& arguments) {
  const Graph graph = load_graph(arguments.graph_path);
  if (arguments.program == "order") return order_program(graph, arguments.use_reuse);
  throw InputError("program", "unknown program " + quote(arguments.program) + "; known: order");
}

void run(const ExportArguments& arguments) {
  const std::string text = text_of(arguments);
  if (arguments.lp_path.empty())
    std::fwrite(text.data(), 1, text.size(), stdout);
  else
    write_file_atomically(arguments.lp_path, text);
}

}  // namespace

void add_export_lp_command(CLI::App& app, int*) {
  auto arguments = std::make_shared<ExportArguments>();
  CLI::App* command = app.add_subcommand(
      "export-lp", "Write the paper's integer program of a graph as LP text, for any solver");
  command->add_option("GRAPH", arguments->graph_path, "A lowtide-graph JSON file")->required();
  command->add_option("-o,--output", arguments->lp_path, "Where to write it; else to stdout");
  command->add_option("--program", arguments->program, "Which: order")->capture_default_str();
  command->add_flag("--reuse", arguments->use_reuse,
                    "Let in-place operators write over an input (may_reuse)");
  command->callback([arguments] { run(*arguments); });
}

}  // namespace lowtide::cli
