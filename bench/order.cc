// build/test/bench/order SECONDS GRAPH...
// A GRAPH is a file, or a family of bench/families.h as name:nodes[:variant].
//
// A row a graph: nodes, peak in bytes, the same against program order and against the bound, status
// and time of the exact solver, and the simplest solver that reaches that peak as well. Loading and
// lowering are not timed.
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "families.h"
#include "lowtide/graph/error.h"
#include "lowtide/io/graph_json.h"
#include "lowtide/model/lifetimes.h"
#include "lowtide/model/lower.h"
#include "lowtide/order/solvers.h"
#include "table.h"

namespace lowtide::bench {
namespace {

Graph graph_of(const std::string& text) {
  return names_family(text) ? make_family(text) : load_graph(text);
}

double ratio(Bytes part, Bytes whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 1;
}

long peak_resident_mb() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss / 1024;
}

// The first heuristic of the registry, from the simplest on, that is as good.
const char* winner(const OrderProblem& problem, Bytes value, const Limits& limits) {
  for (const char* simple : {"given", "hoist", "greedy", "best"})
    if (find_order_solver(simple)->solve(problem, limits).value() == value) return simple;
  return "exact";
}

int run(double limit, const std::vector<std::string>& graphs) {
  std::printf("%-34s %8s %14s %8s %14s %8s %-9s %9s %7s %s\n", "graph", "nodes", "peak", "ratio",
              "bound", "gap %", "status", "seconds", "MB", "winner");
  std::size_t proven = 0;
  std::vector<double> seconds;
  for (const std::string& text : graphs) {
    const Graph graph = graph_of(text);
    const OrderProblem problem = lower_order(graph).problem;
    Solution<Schedule> solution = Solution<Schedule>::unknown(0);
    seconds.push_back(seconds_of([&] {
      solution = find_order_solver("exact")->solve(problem, Limits::within_seconds(limit));
    }));
    proven += solution.status() == Status::kOptimal;
    std::printf("%-34s %8zu %14lld %8.4f %14lld %8.3f %-9s %9.4f %7ld %s\n", graph.name().c_str(),
                graph.num_nodes(), static_cast<long long>(solution.value()),
                ratio(solution.value(), peak(problem, program_order_of(problem))),
                static_cast<long long>(solution.bound()),
                100 * (1 - ratio(solution.bound(), solution.value())), to_string(solution.status()),
                seconds.back(), peak_resident_mb(),
                winner(problem, solution.value(), Limits::within_seconds(limit)));
    std::fflush(stdout);
  }
  print_summary(proven, seconds);
  return 0;
}

}  // namespace
}  // namespace lowtide::bench

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: order SECONDS GRAPH...\n");
    return 2;
  }
  try {
    return lowtide::bench::run(std::atof(argv[1]), {argv + 2, argv + argc});
  } catch (const lowtide::InputError& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
