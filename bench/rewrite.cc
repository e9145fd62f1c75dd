// build/test/bench/rewrite SECONDS GRAPH...
// A GRAPH is a file, or a family of bench/families.h as name:nodes[:variant].
//
// A row a rewriting pass, and one without any: over all graphs, how many it changes, the nodes,
// tensors and dependencies that are left, the places (node, step) that spans leave open (what an
// integer program has variables for), peaks above the proven one, orders proven, and the time to
// rewrite, order and bring back. Lowering and loading are not timed.
#include <cstdio>
#include <string>

#include "families.h"
#include "lowtide/analysis/spans.h"
#include "lowtide/io/graph_json.h"
#include "lowtide/model/lifetimes.h"
#include "lowtide/model/lower.h"
#include "lowtide/planner/order_phase.h"
#include "lowtide/rewrite/passes.h"
#include "table.h"

namespace lowtide::bench {
namespace {

struct Row {
  std::string passes;
  int changed = 0, higher = 0, proven = 0;
  std::size_t nodes = 0, tensors = 0, dependencies = 0;
  double places = 0, seconds = 0;
};

void count(const Graph& graph, Row* row) {
  const OrderProblem problem = lower_order(graph).problem;
  row->nodes += problem.num_nodes();
  row->tensors += problem.num_tensors();
  row->dependencies += problem.predecessors.num_items();
  Meter meter{Limits()};
  const Spans found = spans(problem, &meter);
  for (NodeId v : problem.nodes())
    row->places += static_cast<double>(found.alap[v] - found.asap[v] + 1);
}

// Returns the peak.
Bytes measure(const Graph& graph, const std::vector<std::string>& passes, double limit, Row* row) {
  Meter meter{Limits()};
  const RewriteOutcome outcome = rewrite(graph, passes, &meter);
  row->changed += outcome.rewritten.has_value();
  count(outcome.rewritten ? outcome.rewritten->graph : graph, row);
  const OrderProblem problem = lower_order(graph).problem;
  const Bytes program_peak = peak(problem, program_order_of(problem));
  Solution<Schedule> solution = Solution<Schedule>::unknown(0);
  row->seconds += seconds_of([&] {
    solution = solve_order(graph, problem, program_peak, {.rewrite = passes},
                           Limits::within_seconds(limit));
  });
  row->proven += solution.status() == Status::kOptimal;
  return solution.value();
}

void print(const Row& row) {
  std::printf("%-38s %8d %8zu %8zu %8zu %12.4g %7d %7d %9.3f\n", row.passes.c_str(), row.changed,
              row.nodes, row.tensors, row.dependencies, row.places, row.higher, row.proven,
              row.seconds);
}

int run(double limit, const std::vector<std::string>& graphs) {
  std::vector<std::vector<std::string>> choices = {{}};
  for (const RewritePass& pass : rewrite_passes()) choices.push_back({pass.name});
  choices.push_back({"prune", "canonicalize", "weight_updates"});
  std::vector<Row> rows(choices.size());
  for (const std::string& text : graphs) {
    const Graph graph = names_family(text) ? make_family(text) : load_graph(text);
    Bytes least = kMaxBytes;
    for (std::size_t i = 0; i < choices.size(); ++i) {
      const Bytes peak = measure(graph, choices[i], limit, &rows[i]);
      least = std::min(least, peak);
      rows[i].higher += peak > least;
    }
  }
  std::printf("%-38s %8s %8s %8s %8s %12s %7s %7s %9s\n", "passes", "changed", "nodes", "tensors",
              "edges", "places", "higher", "proven", "seconds");
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (const std::string& name : choices[i])
      rows[i].passes += (rows[i].passes.empty() ? "" : ",") + name;
    if (choices[i].empty()) rows[i].passes = "none";
    print(rows[i]);
  }
  return 0;
}

}  // namespace
}  // namespace lowtide::bench

int main(int argc, char** argv) {
  return lowtide::bench::main_of("rewrite", "SECONDS", argc, argv, lowtide::bench::run);
}
