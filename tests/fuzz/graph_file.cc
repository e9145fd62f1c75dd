#include <string>

#include "fuzz/targets.h"
#include "lowtide/base/check.h"
#include "lowtide/graph/error.h"
#include "lowtide/io/graph_json.h"
#include "lowtide/planner/planner.h"
#include "lowtide/verify/verifier.h"

namespace lowtide::fuzz {
namespace {

constexpr std::size_t kMostPlanned = 60;

void plan_it(const Graph& graph, bool use_reuse) {
  const PlanOptions options{.step_limit = 500, .alignment = 1, .use_reuse = use_reuse};
  const Plan plan = lowtide::plan(graph, options).plan;
  LOWTIDE_CHECK(verify(graph, plan).empty(), "a plan that the verifier refuses");
}

}  // namespace

void graph_file(std::string_view bytes) {
  try {
    const Graph graph = parse_graph(std::string(bytes), "fuzz");
    const std::string text = format_graph(graph);
    LOWTIDE_CHECK(format_graph(parse_graph(text, "again")) == text, "read, written and read again");
    if (graph.num_nodes() > kMostPlanned) return;
    plan_it(graph, false);
    plan_it(graph, true);
  } catch (const InputError& error) {
    LOWTIDE_CHECK(std::string(error.what()).find('\n') == std::string::npos, "one line");
  }
}

}  // namespace lowtide::fuzz
