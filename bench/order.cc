// build/test/bench/order SECONDS GRAPH.json...
// A row a graph: nodes, peak against program order and against the bound, status and solver time of
// each simple order and of the exact one. Loading and lowering are not timed.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "lowtide/graph/error.h"
#include "lowtide/io/graph_json.h"
#include "lowtide/model/lifetimes.h"
#include "lowtide/model/lower.h"
#include "lowtide/order/solvers.h"
#include "table.h"

namespace {

double ratio(lowtide::Bytes part, lowtide::Bytes whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 1;
}

int run(double limit, const std::vector<std::string>& paths) {
  using namespace lowtide;
  std::printf("%-34s %7s %8s %8s %8s %8s %-9s %9s\n", "graph", "nodes", "hoist", "greedy", "exact",
              "gap %", "status", "seconds");
  std::size_t proven = 0;
  std::vector<double> seconds;
  for (const std::string& path : paths) {
    const Graph graph = load_graph(path);
    const OrderProblem problem = lower_order(graph).problem;
    const Bytes given = peak(problem, program_order_of(problem));
    const auto peak_of = [&](const char* name) {
      return ratio(find_order_solver(name)->solve(problem, Limits::within_seconds(limit)).value(),
                   given);
    };
    Solution<Schedule> solution = Solution<Schedule>::unknown(0);
    seconds.push_back(bench::seconds_of([&] {
      solution = find_order_solver("exact")->solve(problem, Limits::within_seconds(limit));
    }));
    proven += solution.status() == Status::kOptimal;
    std::printf("%-34s %7zu %8.4f %8.4f %8.4f %8.3f %-9s %9.4f\n", graph.name().c_str(),
                graph.num_nodes(), peak_of("hoist"), peak_of("greedy"),
                ratio(solution.value(), given),
                100 * (1 - ratio(solution.bound(), solution.value())), to_string(solution.status()),
                seconds.back());
    std::fflush(stdout);
  }
  bench::print_summary(proven, seconds);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: order SECONDS GRAPH.json...\n");
    return 2;
  }
  try {
    return run(std::atof(argv[1]), {argv + 2, argv + argc});
  } catch (const lowtide::InputError& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
