// build/test/bench/order [--ablation] SECONDS GRAPH...
// A GRAPH is a file, or a family of bench/families.h as name:nodes[:variant].
//
// A row a graph: nodes, peak in bytes, the same against program order and against the bound, status
// and time of the exact solver, and the simplest solver that reaches that peak as well. Loading and
// lowering are not timed.
//
// --ablation: a row a technique of the exact search, without it: how many graphs are proven, in how
// many seconds, and what that does to bounds and peaks.
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "families.h"
#include "lowtide/graph/error.h"
#include "lowtide/io/graph_json.h"
#include "lowtide/model/lifetimes.h"
#include "lowtide/model/lower.h"
#include "lowtide/order/search/exact.h"
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

Solution<Schedule> solve_with(const Techniques& use, const OrderProblem& problem, double limit) {
  const Limits limits = Limits::within_seconds(limit);
  return exact_order(problem, find_order_solver("best")->solve(problem, limits), limits, use);
}

void print_ablation_row(const std::string& label, const Techniques& use,
                        const std::vector<OrderProblem>& problems, double limit) {
  std::size_t proven = 0;
  double gaps = 0, worst_gap = 0, worst_seconds = 0;
  const double seconds = seconds_of([&] {
    for (const OrderProblem& problem : problems) {
      const double alone = seconds_of([&] {
        const auto solution = solve_with(use, problem, limit);
        const double gap = 100 * (1 - ratio(solution.bound(), solution.value()));
        proven += solution.status() == Status::kOptimal;
        gaps += gap;
        worst_gap = std::max(worst_gap, gap);
      });
      worst_seconds = std::max(worst_seconds, alone);
    }
  });
  std::printf("%-22s %4zu of %-4zu %9.3f %9.3f %9.4f %9.3f\n", label.c_str(), proven,
              problems.size(), seconds, worst_seconds, gaps / static_cast<double>(problems.size()),
              worst_gap);
  std::fflush(stdout);
}

int run_ablation(double limit, const std::vector<std::string>& graphs) {
  std::vector<OrderProblem> problems;
  for (const std::string& text : graphs) problems.push_back(lower_order(graph_of(text)).problem);
  std::printf("%-22s %12s %9s %9s %9s %9s\n", "without", "proven", "seconds", "worst", "gap %",
              "worst %");
  print_ablation_row("(with all)", {}, problems, limit);
  for (const Technique& technique : kTechniques)
    print_ablation_row(technique.name, all_but(technique), problems, limit);
  return 0;
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
  std::vector<std::string> args(argv + 1, argv + argc);
  const bool ablation = !args.empty() && args[0] == "--ablation";
  if (ablation) args.erase(args.begin());
  if (args.size() < 2) {
    std::fprintf(stderr, "usage: order [--ablation] SECONDS GRAPH...\n");
    return 2;
  }
  try {
    const double limit = std::atof(args[0].c_str());
    args.erase(args.begin());
    return ablation ? lowtide::bench::run_ablation(limit, args) : lowtide::bench::run(limit, args);
  } catch (const lowtide::InputError& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
