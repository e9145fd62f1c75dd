#include <algorithm>
#include <memory>
#include <optional>

#include "lowtide/base/check.h"
#include "lowtide/base/text.h"
#include "lowtide/cli/bank_layout.h"
#include "lowtide/cli/buffer_names.h"
#include "lowtide/cli/commands.h"
#include "lowtide/cli/files.h"
#include "lowtide/cli/interrupts.h"
#include "lowtide/cli/progress_line.h"
#include "lowtide/cli/size_text.h"
#include "lowtide/cli/terminal.h"
#include "lowtide/graph/error.h"
#include "lowtide/io/file.h"
#include "lowtide/io/interval_csv.h"
#include "lowtide/io/json_fields.h"
#include "lowtide/layout/explain.h"
#include "lowtide/layout/shapes.h"
#include "lowtide/model/fixed_conflict.h"
#include "lowtide/planner/options.h"
#include "lowtide/verify/layout_verifier.h"

namespace lowtide::cli {
namespace {

constexpr int kImpossible = 3;
constexpr int kUndecided = 4;

constexpr const char* kColumns = R"(Columns, in any order; others are carried through:
  lower, upper, size   alive in the steps [lower, upper); bytes. These are needed
  id                   the buffer's name
  alignment, offset    the offset is a multiple of it; the offset is given
  hint                 an offset worth trying
  gaps                 2-4 6-8@0:64: holds nothing in [2, 4), only its bytes [0, 64) in [6, 8)
  alias                buffers with the same name here share an offset, and their bytes
  adjacent             buffers with the same name here stand one above the other, in file order
  may_reuse            ids of buffers whose bytes it may take while both are alive, if that helps
  banks                names of the banks it may be in; empty: any

Exit status: 0 placed, 2 bad input, 3 proved impossible (and why), 4 not decided in time.

  lowtide layout buffers.csv -o placed.csv
  lowtide layout buffers.csv --capacity 512KiB --time-limit 10
  lowtide layout buffers.csv --bank SRAM=256KiB --bank PSRAM=8MiB -o placed.csv)";

struct LayoutArguments {
  std::string csv_path;
  std::string output_path;
  std::optional<std::string> capacity;
  std::vector<std::string> banks;
  double time_limit_seconds = 60;
  std::int64_t step_limit = Limits::kUnlimitedSteps;
  std::string solver = "auto";
  int threads = 1;
  std::uint64_t seed = 0;
  bool json = false;
  Reading reading;
};

void check(const LayoutArguments& arguments) {
  if (arguments.capacity && !arguments.banks.empty())
    throw InputError("--capacity", "each --bank has its own size");
  check_limits(arguments.time_limit_seconds, arguments.step_limit, arguments.threads);
}

Limits limits_of(const LayoutArguments& arguments) {
  return Limits::within_seconds(arguments.time_limit_seconds)
      .with_steps(arguments.step_limit)
      .with_threads(arguments.threads)
      .with_seed(arguments.seed);
}

Solution<Layout> solve(const LayoutRequest& request, const LayoutArguments& arguments,
                       const Limits& limits) {
  ProgressLine progress;
  return solve_interruptibly(request, layout_solver_named("solver", arguments.solver),
                             limits.with_progress(&progress));
}

// What is left of the time limit is for the explanation.
std::optional<Conflict> conflict_of(const LayoutRequest& request, const Solution<Layout>& solution,
                                    const Limits& limits) {
  if (solution.status() != Status::kInfeasible) return std::nullopt;
  return explain_conflict(request, limits);
}

void print_conflict(const IntervalCsv& csv, const Conflict& conflict) {
  const std::string count = std::to_string(conflict.buffers.size());
  if (conflict.step)
    print("impossible: %s buffers live at %lld need %lld bytes: %s\n", count.c_str(),
          static_cast<long long>(*conflict.step), static_cast<long long>(conflict.bytes),
          some_names(csv, conflict.buffers).c_str());
  else
    print("impossible: no layout holds these %s buffers%s: %s\n", count.c_str(),
          conflict.irreducible ? ", any fewer of them fit" : " (perhaps fewer do not fit either)",
          some_names(csv, conflict.buffers).c_str());
}

OrderedJson conflict_json(const IntervalCsv& csv, const Conflict& conflict) {
  const OrderedJson step = conflict.step ? OrderedJson(*conflict.step) : OrderedJson(nullptr);
  return {{"buffers", ids_json(csv, conflict.buffers)},
          {"step", step},
          {"irreducible", conflict.irreducible}};
}

void print_json(const IntervalCsv& csv, const Solution<Layout>& solution,
                const std::optional<Conflict>& conflict, double seconds) {
  const LayoutProblem& problem = csv.problem;
  OrderedJson object = {{"buffers", problem.buffers.size()}};
  object["height_bytes"] =
      solution.has_value() ? OrderedJson(solution.value()) : OrderedJson(nullptr);
  object["lower_bound_bytes"] = solution.bound();
  object["status"] = to_string(solution.status());
  object["seconds"] = seconds;
  if (conflict) object["conflict"] = conflict_json(csv, *conflict);
  print("%s\n", json_text(object).c_str());
}

void print_text(const LayoutProblem& problem, const Solution<Layout>& solution, double seconds) {
  print("%zu buffers: %s", problem.buffers.size(), to_string(solution.status()));
  if (solution.has_value()) print(", height %lld bytes", static_cast<long long>(solution.value()));
  print(", at least %lld bytes, %.3f s\n", static_cast<long long>(solution.bound()), seconds);
}

void write_offsets(const IntervalCsv& csv, const Layout& layout, const std::string& path) {
  const AnswerColumn offset{"offset",
                            [&](BufferId b) { return std::to_string(layout.offsets[b]); }};
  write_file_atomically(path, [&](const TextSink& sink) {
    write_interval_csv(csv, {&offset, 1}, sink);
  });
}

int run(const LayoutArguments& arguments) {
  check(arguments);
  claim_outputs({arguments.csv_path}, {arguments.output_path});
  IntervalCsv csv = load_interval_csv(arguments.csv_path, arguments.reading);
  const Interruptible interruptible;  // the layout's file is written whatever happens
  const Limits limits = limits_of(arguments).with_cancellation(interruptible.flag());
  if (!arguments.banks.empty())
    return run_banks(csv,
                     {arguments.banks, arguments.csv_path, arguments.output_path, arguments.json},
                     layout_solver_named("solver", arguments.solver), limits);
  if (arguments.capacity) csv.problem.capacity = parse_size(*arguments.capacity, "--capacity");
  if (const auto pair = fixed_conflict(csv); pair && !arguments.capacity)
    throw InputError(arguments.csv_path, "buffers " + quote(csv.id(pair->first)) + " and " +
                                             quote(csv.id(pair->second)) +
                                             " have fixed offsets that overlap");
  const auto start = Clock::now();
  const auto solution = solve(csv, arguments, limits);
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  if (solution.has_value()) {
    const std::string error = layout_error(csv, solution.best());
    LOWTIDE_CHECK(error.empty(), error);
    if (!arguments.output_path.empty()) write_offsets(csv, solution.best(), arguments.output_path);
  }
  const auto conflict = conflict_of(csv, solution, limits);
  arguments.json ? print_json(csv, solution, conflict, seconds)
                 : print_text(csv.problem, solution, seconds);
  if (conflict && !arguments.json) print_conflict(csv, *conflict);
  if (solution.status() == Status::kInfeasible) return kImpossible;
  return solution.has_value() ? 0 : kUndecided;
}

}  // namespace

void add_layout_command(CLI::App& app, int* exit_code) {
  auto arguments = std::make_shared<LayoutArguments>();
  CLI::App* command = app.add_subcommand(
      "layout",
      "Place buffers with given lifetimes in an arena of least height, or in one of a given size");
  add_file(command, "BUFFERS", &arguments->csv_path,
           "CSV with a header and a line a buffer; its columns are below")
      ->required()
      ->type_name("CSV");
  add_file(command, "-o,--output", &arguments->output_path,
           "The same file with the column offset (and bank)")
      ->type_name("CSV");
  command
      ->add_option("--capacity", arguments->capacity,
                   "Any layout of at most this will do: 1048576, 1MiB, ...")
      ->type_name("SIZE");
  command
      ->add_option("--bank", arguments->banks,
                   "A memory, once for each, the preferred first. Sought is the least sum of bytes "
                   "times COST (a byte; unless given 0 for the first, 1 for the second, ...)")
      ->type_name("NAME=SIZE[@COST]");
  command->add_option("--time-limit", arguments->time_limit_seconds, "Seconds for the search")
      ->capture_default_str();
  command->add_option("--step-limit", arguments->step_limit,
                      "Steps for the search: the same answer each time");
  command->add_option("--solver", arguments->solver, "Layout solver; see `lowtide solvers`")
      ->capture_default_str();
  command->add_option("--threads", arguments->threads, "Threads for the search")
      ->capture_default_str();
  command->add_option("--seed", arguments->seed, "For randomised searches")->capture_default_str();
  command->add_flag("--json", arguments->json, "Print one JSON object");
  command->footer(kColumns);
  add_reading(command, &arguments->reading);
  command->callback([arguments, exit_code] { *exit_code = run(*arguments); });
}

}  // namespace lowtide::cli
