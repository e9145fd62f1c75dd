#include <string>

#include "fuzz/targets.h"
#include "lowtide/base/check.h"
#include "lowtide/graph/error.h"
#include "lowtide/graph/graph_builder.h"
#include "lowtide/io/plan_json.h"
#include "lowtide/report/claims.h"
#include "lowtide/report/peak_dot.h"
#include "lowtide/report/report_data.h"
#include "lowtide/report/svg.h"
#include "lowtide/report/tensor_csv.h"
#include "lowtide/report/timeline.h"
#include "lowtide/report/trace_json.h"
#include "lowtide/verify/verifier.h"
#include "support/byte_oracle.h"

namespace lowtide::fuzz {
namespace {

// The oracle looks at every byte of every step.
constexpr Bytes kLargestArena = 4096;

Graph make_graph() {
  GraphBuilder builder("fuzz");
  builder.add_tensor({.name = "weight", .bytes = 50, .kind = TensorKind::kParameter});
  builder.add_tensor({.name = "x", .bytes = 16});
  builder.add_tensor({.name = "unread", .bytes = 40});
  builder.add_tensor({.name = "given", .bytes = 5, .output = true});
  builder.add_tensor({.name = "a", .bytes = 30});
  builder.add_tensor({.name = "b", .bytes = 12});
  builder.add_tensor({.name = "c", .bytes = 9, .output = true});
  builder.add_tensor({.name = "empty", .bytes = 0});
  builder.add_tensor({.name = "d", .bytes = 12});
  builder.add_node({.name = "n0", .inputs = {"x", "weight"}, .outputs = {"a", "empty"}});
  builder.add_node({.name = "n1", .inputs = {"a"}, .outputs = {"b"}, .may_reuse = {{"b", "a"}}});
  builder.add_node({.name = "n2", .inputs = {"x"}, .outputs = {"d"}, .workspace_bytes = 21});
  builder.add_node({.name = "n3",
                    .inputs = {"b", "d"},
                    .outputs = {"c"},
                    .mutates = {"weight"},
                    .after = {"n0"},
                    .may_reuse = {{"c", "d"}},
                    .workspace_bytes = 3});
  return std::move(builder).build();
}

void look_at(const Graph& graph, const Plan& plan) {
  const ReportPlan shown{.label = "plan", .plan = &plan};
  report_json(graph, {&shown, 1});
  memory_svg(graph, plan);
  addresses_svg(graph, plan);
  tensor_csv(graph, plan);
  trace_json(graph, plan);
  peak_dot(graph, make_timeline(graph, plan));
  Plan settled = plan;
  prove_claims(graph, Limits(), &settled);
}

}  // namespace

void plan_file(std::string_view bytes) {
  static const Graph graph = make_graph();
  try {
    const LoadedPlan loaded = parse_plan(std::string(bytes), "fuzz", graph);
    const bool is_right = verify(graph, loaded.plan).empty();
    if (!loaded.mismatches.empty()) return;
    if (loaded.plan.arena_bytes >= 0 && loaded.plan.arena_bytes <= kLargestArena)
      LOWTIDE_CHECK(is_right == testing::is_right_byte_by_byte(graph, loaded.plan),
                    "verifier and oracle differ");
    if (!is_right) return;
    look_at(graph, loaded.plan);
    const std::string text = format_plan(graph, loaded.plan);
    LOWTIDE_CHECK(format_plan(graph, parse_plan(text, "again", graph).plan) == text,
                  "read, written and read again");
  } catch (const InputError& error) {
    LOWTIDE_CHECK(std::string(error.what()).find('\n') == std::string::npos, "one line");
  }
}

}  // namespace lowtide::fuzz
