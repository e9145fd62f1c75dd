// build/test/bench/threads STEPS GRAPH...
// A GRAPH is a file, or a family of bench/families.h as name:nodes[:variant].
//
// A row a graph: seconds of the exact order with 1 and with 2 threads under the same step budget,
// and whether the answers are the same.
#include <cstdio>
#include <string>

#include "families.h"
#include "lowtide/io/graph_json.h"
#include "lowtide/model/lower.h"
#include "lowtide/order/solvers.h"
#include "table.h"

namespace lowtide::bench {
namespace {

int run(std::int64_t steps, const std::vector<std::string>& graphs) {
  std::printf("%-34s %8s %9s %9s %9s %8s %-9s %s\n", "graph", "nodes", "1 thread", "2 threads",
              "ratio", "gap %", "status", "same");
  for (const std::string& text : graphs) {
    const Graph graph = names_family(text) ? make_family(text) : load_graph(text);
    const OrderProblem problem = lower_order(graph).problem;
    const Limits limits = Limits::within_steps(steps);
    auto solution = Solution<Schedule>::unknown(0), other = solution;
    const auto solve = [&](int threads) {
      return find_order_solver("exact")->solve(problem, limits.with_threads(threads));
    };
    const double alone = seconds_of([&] { solution = solve(1); });
    const double together = seconds_of([&] { other = solve(2); });
    const bool same = other.best() == solution.best() && other.bound() == solution.bound();
    const double gap = static_cast<double>(solution.value() - solution.bound()) /
                       static_cast<double>(std::max<Bytes>(1, solution.value()));
    std::printf("%-34s %8zu %9.3f %9.3f %9.3f %8.3f %-9s %s\n", graph.name().c_str(),
                problem.num_nodes(), alone, together, together / alone, 100 * gap,
                to_string(solution.status()), same ? "yes" : "NO");
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace lowtide::bench

int main(int argc, char** argv) {
  return lowtide::bench::main_of("threads", "STEPS", argc, argv, lowtide::bench::run);
}
