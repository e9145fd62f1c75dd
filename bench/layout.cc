// build/test/bench/layout SECONDS FILE...
// A row an instance: height / load of every registered solver, and status and seconds of `auto`. A
// file is a CSV of buffers, or a graph, laid out in program order and in lowtide's order at
// alignment 64.
#include <cstdio>
#include <string>

#include "lowtide/io/graph_json.h"
#include "lowtide/io/interval_csv.h"
#include "lowtide/layout/solvers.h"
#include "lowtide/model/layout_bounds.h"
#include "lowtide/model/lifetimes.h"
#include "lowtide/model/lower.h"
#include "lowtide/order/solvers.h"
#include "table.h"

namespace {

using namespace lowtide;

struct Totals {
  std::size_t proven = 0;
  std::vector<double> seconds;
};

void print_row(const std::string& name, const LayoutProblem& problem, double limit,
               Totals* totals) {
  const auto bound = static_cast<double>(std::max<Bytes>(1, lower_bound(problem)));
  std::printf("%-40s %7zu", name.c_str(), problem.buffers.size());
  for (const LayoutSolver& solver : layout_solvers()) {
    Solution<Layout> solution = Solution<Layout>::unknown(0);
    const double seconds =
        bench::seconds_of([&] { solution = solver.solve(problem, Limits::within_seconds(limit)); });
    std::printf(" %8.4f", static_cast<double>(solution.value()) / bound);
    if (std::string(solver.name) != "auto") continue;
    totals->proven += solution.status() == Status::kOptimal;
    totals->seconds.push_back(seconds);
  }
  std::printf(" %9.4f\n", totals->seconds.back());
  std::fflush(stdout);
}

int run(double limit, const std::vector<std::string>& paths) {
  std::printf("%-40s %7s", "instance", "buffers");
  for (const LayoutSolver& solver : layout_solvers()) std::printf(" %8.8s", solver.name);
  std::printf(" %9s\n", "seconds");
  Totals given, planned;
  for (const std::string& path : paths) {
    if (path.ends_with(".csv")) {
      print_row(path.substr(path.rfind('/') + 1), load_interval_csv(path).problem, limit, &given);
      continue;
    }
    const Graph graph = load_graph(path);
    const OrderProblem problem = lower_order(graph).problem;
    print_row(graph.name() + " given",
              lower_layout(problem, program_order_of(problem), 64).request.problem, limit, &given);
    const auto order = find_order_solver("auto")->solve(problem, Limits::within_seconds(limit));
    print_row(graph.name() + " planned", lower_layout(problem, order.best(), 64).request.problem,
              limit, &planned);
  }
  bench::print_summary(given.proven, given.seconds);
  if (!planned.seconds.empty()) bench::print_summary(planned.proven, planned.seconds);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return lowtide::bench::main_of("layout", "SECONDS", argc, argv, run);
}
