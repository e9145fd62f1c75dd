// build/test/bench/ilp SECONDS GRAPH...
//
// A row a graph, as Markdown: the exact search beside the integer programs of the order. Variables
// and constraints are those of the contracted problem, whole; `ilp` divides it in time before it
// builds. "paper" is MODeL's program (order/program/ilp_steps.h), "as is" how many variables it has
// before contraction. SECONDS limits each solver; an interval is value and bound where these
// differ.
#include <cstdio>
#include <string>

#include "lowtide/io/graph_json.h"
#include "lowtide/model/lower.h"
#include "lowtide/order/program/pair_program.h"
#include "lowtide/order/program/step_program.h"
#include "lowtide/order/search/contract.h"
#include "lowtide/order/solvers.h"
#include "table.h"

namespace lowtide::bench {
namespace {

constexpr std::size_t kMaxPairs = 500'000;
constexpr std::size_t kMaxStepVariables = 1'000'000;

struct Solved {
  Solution<Schedule> solution = Solution<Schedule>::unknown(0);
  double seconds = 0;
};

Solved solve(const char* solver, const OrderProblem& problem, double limit) {
  Solved solved;
  solved.seconds = seconds_of([&] {
    solved.solution = find_order_solver(solver)->solve(problem, Limits::within_seconds(limit));
  });
  return solved;
}

std::string text_of(const Solved& solved) {
  char text[96];
  const Solution<Schedule>& solution = solved.solution;
  if (solution.status() == Status::kOptimal)
    std::snprintf(text, sizeof text, "%lld | %.2f", static_cast<long long>(solution.value()),
                  solved.seconds);
  else
    std::snprintf(text, sizeof text, "%lld..%lld | %.2f", static_cast<long long>(solution.bound()),
                  static_cast<long long>(solution.value()), solved.seconds);
  return text;
}

// Variables, constraints and seconds to build.
template <class Build>
std::string size_of(const Build& build) {
  mip::Model model;
  const double seconds = seconds_of([&] { model = build(); });
  char text[96];
  std::snprintf(text, sizeof text, "%zu | %zu | %.2f", model.variables.size(), model.rows.size(),
                seconds);
  return text;
}

std::string pair_size(const OrderProblem& core) {
  if (!build_pair_program(core, kMaxPairs)) return "too large | |";
  return size_of([&] { return build_pair_program(core, kMaxPairs)->model; });
}

std::string step_size(const OrderProblem& core) {
  const std::size_t size = step_program_size(core, Timesteps::kSerial);
  if (size > kMaxStepVariables) return std::to_string(size) + " | |";
  return size_of([&] { return build_step_program(core, Timesteps::kSerial).model; });
}

void print_row(const Graph& graph, double limit) {
  const OrderProblem problem = lower_order(graph).problem;
  Meter meter{Limits()};
  const Reduced core = *contract(problem, &meter);
  std::printf("| %s | %zu | %zu | %s | %s | %s | %zu | %s | %s |\n", graph.name().c_str(),
              problem.num_nodes(), core.problem.num_nodes(),
              text_of(solve("exact", problem, limit)).c_str(), pair_size(core.problem).c_str(),
              text_of(solve("ilp", problem, limit)).c_str(),
              step_program_size(problem, Timesteps::kSerial), step_size(core.problem).c_str(),
              text_of(solve("ilp_steps", problem, limit)).c_str());
  std::fflush(stdout);
}

int run(double limit, const std::vector<std::string>& paths) {
  std::printf(
      "| graph | nodes | core | exact | s | variables | constraints | build s | ilp | s "
      "| paper, as is | variables | constraints | build s | ilp_steps | s |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n");
  for (const std::string& path : paths) print_row(load_graph(path), limit);
  return 0;
}

}  // namespace
}  // namespace lowtide::bench

int main(int argc, char** argv) {
  return lowtide::bench::main_of("ilp", "SECONDS", argc, argv, lowtide::bench::run);
}
