// The report: what it shows agrees with the model of memory, its explanations hold by recounting,
// and no name can break out of the page.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>

#include "lowtide/graph/graph_builder.h"
#include "lowtide/io/graph_json.h"
#include "lowtide/planner/planner.h"
#include "lowtide/report/bound_reason.h"
#include "lowtide/report/html.h"
#include "lowtide/report/labels.h"
#include "lowtide/report/remedies.h"
#include "lowtide/report/timeline.h"
#include "support/random_graph.h"

namespace lowtide {
namespace {

using Json = nlohmann::json;

Graph training_graph() { return load_graph(std::string(LOWTIDE_TEST_DATA) + "/cnn-train.json"); }

Plan plan_for(const Graph& graph, const char* order = "auto") {
  return plan(graph, {.order = order, .step_limit = 100'000}).plan;
}

Json json_of(const Graph& graph, const Plan& plan) {
  const ReportPlan shown{"the plan", &plan};
  return Json::parse(report_json(graph, std::span(&shown, 1)));
}

Bytes sum_of(const Graph& graph, const std::vector<TensorId>& tensors) {
  return std::accumulate(tensors.begin(), tensors.end(), Bytes{0},
                         [&](Bytes sum, TensorId t) { return sum + graph.bytes(t); });
}

TEST(Timeline, CurveIsTheSumOfWhatIsLivePlusWorkspace) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const Graph graph = testing::random_graph(seed, {.num_nodes = 14, .reuses = false});
    const Timeline timeline = make_timeline(graph, testing::random_schedule(graph, seed));
    for (std::size_t s = 0; s < timeline.curve.size(); ++s) {
      const auto live = live_at(graph, timeline, static_cast<Step>(s));
      EXPECT_EQ(timeline.curve[s],
                sum_of(graph, live) + graph.workspace_bytes(timeline.schedule[s]));
    }
    if (!timeline.curve.empty()) {
      EXPECT_EQ(timeline.peak_bytes,
                *std::max_element(timeline.curve.begin(), timeline.curve.end()));
      EXPECT_EQ(timeline.curve[static_cast<std::size_t>(timeline.peak_step)], timeline.peak_bytes);
    }
  }
}

TEST(Timeline, PhasesCoverEveryStepOnce) {
  const Graph graph = training_graph();
  const Timeline timeline = make_timeline(graph, plan_for(graph));
  Step next = 0;
  for (const PhaseSpan& span : timeline.phases) {
    EXPECT_EQ(span.first, next);
    next = span.last + 1;
  }
  EXPECT_EQ(next, static_cast<Step>(graph.num_nodes()));
}

TEST(Labels, ModuleIsTheCommonPathOfTheParametersANodeTouches) {
  GraphBuilder builder("labels");
  builder.add_tensor(
      {.name = "net.layer1.conv.weight", .bytes = 4, .kind = TensorKind::kParameter});
  builder.add_tensor({.name = "net.layer1.conv.bias", .bytes = 4, .kind = TensorKind::kParameter});
  builder.add_tensor({.name = "net.layer10.weight", .bytes = 4, .kind = TensorKind::kParameter});
  for (const char* name : {"a", "b", "c"}) builder.add_tensor({.name = name, .bytes = 8});
  builder.add_node({.name = "conv",
                    .inputs = {"net.layer1.conv.weight", "net.layer1.conv.bias"},
                    .outputs = {"a"}});
  builder.add_node({.name = "relu", .inputs = {"a"}, .outputs = {"b"}});
  builder.add_node({.name = "both",
                    .inputs = {"net.layer1.conv.weight", "net.layer10.weight"},
                    .outputs = {"c"}});
  const Graph graph = std::move(builder).build();
  const ModuleLabels labels = module_labels(graph);
  EXPECT_EQ(labels.names[labels.of_node[NodeId(0)]], "net.layer1.conv");
  EXPECT_EQ(labels.names[labels.of_node[NodeId(1)]], "net.layer1.conv");  // as its input
  EXPECT_EQ(labels.names[labels.of_node[NodeId(2)]], "net");  // layer1 is no parent of layer10
}

TEST(Labels, RolesFollowThePhases) {
  const Graph graph = training_graph();
  std::vector<int> seen(kNumRoles, 0);
  for (TensorId t : graph.tensors())
    if (!graph.is_persistent(t)) ++seen[static_cast<std::size_t>(role_of(graph, t))];
  EXPECT_GT(seen[static_cast<std::size_t>(Role::kSaved)], 0);
  EXPECT_GT(seen[static_cast<std::size_t>(Role::kGradient)], 0);
  EXPECT_GT(seen[static_cast<std::size_t>(Role::kOutput)], 0);
}

// Forced tensors are live at the reason's node in whatever order: checked on random orders.
TEST(BoundReason, ForcedTensorsAreLiveInEveryOrder) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const Graph graph = testing::random_graph(seed, {.num_nodes = 12, .reuses = false});
    const Plan plan = plan_for(graph);
    const BoundReason reason = explain_bound(graph, plan, Limits());
    ASSERT_FALSE(reason.node.is_none());
    EXPECT_EQ(reason.forced_bytes,
              sum_of(graph, reason.forced) + graph.workspace_bytes(reason.node));
    EXPECT_LE(reason.forced_bytes, plan.peak_lower_bound_bytes);
    if (reason.kind == BoundKind::kForced) {
      EXPECT_EQ(reason.forced_bytes, plan.peak_lower_bound_bytes);
    }
    for (std::uint64_t order = 0; order < 20; ++order) {
      const Timeline timeline = make_timeline(graph, testing::random_schedule(graph, order));
      for (TensorId t : reason.forced)
        EXPECT_TRUE(timeline.is_live(t, timeline.step[reason.node])) << seed << " " << order;
    }
  }
}

// Recounts what the list of emptied holes leaves in memory, and that no node misses a tensor.
void check_holes(const Graph& graph, const Timeline& timeline,
                 const std::vector<EmptiedHole>& holes) {
  std::vector<Bytes> curve = timeline.curve;
  for (const EmptiedHole& hole : holes) {
    ASSERT_LE(timeline.lifetime[hole.tensor].lower, hole.steps.lower);
    ASSERT_LT(hole.steps.upper, timeline.lifetime[hole.tensor].upper);
    for (Step s = hole.steps.lower; s < hole.steps.upper; ++s) {
      const NodeId v = timeline.schedule[static_cast<std::size_t>(s)];
      for (TensorId t : graph.inputs(v)) EXPECT_NE(t, hole.tensor);
      for (TensorId t : graph.outputs(v)) EXPECT_NE(t, hole.tensor);
      curve[static_cast<std::size_t>(s)] -= graph.bytes(hole.tensor);
    }
    EXPECT_EQ(*std::max_element(curve.begin(), curve.end()), hole.peak_bytes);
  }
}

TEST(Remedies, HolesAreRealAndThePeaksAreExact) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const Graph graph = testing::random_graph(seed, {.num_nodes = 25, .reuses = false});
    const Timeline timeline = make_timeline(graph, plan_for(graph));
    check_holes(graph, timeline, offload_estimate(graph, timeline));
    check_holes(graph, timeline, recompute_estimate(graph, timeline));
  }
  const Graph graph = training_graph();
  const Timeline timeline = make_timeline(graph, plan_for(graph));
  const auto offload = offload_estimate(graph, timeline);
  ASSERT_FALSE(offload.empty());
  EXPECT_LT(offload.back().peak_bytes, timeline.peak_bytes);
  check_holes(graph, timeline, offload);
}

TEST(Remedies, RecomputeReadsOnlyWhatIsThere) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const Graph graph = testing::random_graph(seed, {.num_nodes = 25, .reuses = false});
    const Timeline timeline = make_timeline(graph, program_order_of(graph));
    const auto holes = recompute_estimate(graph, timeline);
    for (const EmptiedHole& hole : holes)
      for (TensorId input : graph.inputs(graph.producer(hole.tensor))) {
        if (graph.is_persistent(input) || graph.bytes(input) == 0) continue;
        EXPECT_TRUE(timeline.is_live(input, hole.steps.upper));
        for (const EmptiedHole& other : holes)
          EXPECT_FALSE(other.tensor == input && other.steps.contains(hole.steps.upper));
      }
  }
}

TEST(Remedies, EarlyUpdatesAreCounted) {
  const Graph graph = training_graph();
  const Plan early = plan_for(graph, "hoist");
  const EarlyUpdates result = early_updates(graph, make_timeline(graph, early));
  EXPECT_GT(result.updates, 0u);
  EXPECT_GT(result.early, 0u);
  EXPECT_EQ(result.hoisted_peak_bytes, early.peak_bytes);
  EXPECT_EQ(early_updates(graph, make_timeline(graph, program_order_of(graph))).early, 0u);
}

TEST(ReportData, ShowsProgramOrderFirstAndAddsItWhereItIsMissing) {
  const Graph graph = training_graph();
  const Json planned = json_of(graph, plan_for(graph));
  ASSERT_EQ(planned["runs"].size(), 2u);
  EXPECT_EQ(planned["runs"][0]["label"], "program order");
  EXPECT_EQ(json_of(graph, plan_for(graph, "given"))["runs"].size(), 1u);
  EXPECT_EQ(Json::parse(report_json(graph, {}))["runs"].size(), 1u);
}

TEST(ReportData, ColumnsAreOfOneLengthAndSumToTheCurve) {
  const Graph graph = training_graph();
  const Json data = json_of(graph, plan_for(graph));
  const Json& tensors = data["tensors"];
  const std::size_t count = tensors["bytes"].size();
  for (const auto& [name, column] : tensors.items()) EXPECT_EQ(column.size(), count) << name;
  std::size_t empty = 0;  // tensors of no bytes are not shown
  for (TensorId t : graph.tensors()) empty += !graph.is_persistent(t) && graph.bytes(t) == 0;
  EXPECT_EQ(count + data["persistent"]["bytes"].size() + empty, graph.num_tensors());
  for (const Json& run : data["runs"]) {
    std::vector<Bytes> curve(graph.num_nodes(), 0);
    for (std::size_t t = 0; t < count; ++t)
      for (Step s = run["lower"][t]; s < run["upper"][t].get<Step>(); ++s)
        curve[static_cast<std::size_t>(s)] += tensors["bytes"][t].get<Bytes>();
    EXPECT_EQ(curve, run["curve"].get<std::vector<Bytes>>());
    EXPECT_EQ(run["peak_bytes"], *std::max_element(curve.begin(), curve.end()));
  }
}

TEST(ReportData, EmptyGraph) {
  const Graph graph = GraphBuilder("empty").build();
  const Json data = json_of(graph, plan_for(graph));
  EXPECT_EQ(data["runs"][0]["curve"].size(), 0u);
  EXPECT_EQ(data["runs"][0]["reason"]["node"], -1);
}

// Every way known to end a script element or to slip in markup.
const char* const kHostile[] = {"</script><script>alert(1)</script>",
                                "<!--<script>",
                                "]]>",
                                "\"quotes' and \\backslashes\\",
                                "{{data}}{{script}}",
                                "\xe2\x80\xa8 separator \xf0\x9f\x90\x99 \xd8\xb9",
                                "not utf-8: \xff\xfe",
                                "line\nbreak\ttab"};

Graph hostile_graph() {
  GraphBuilder builder("</title><script>alert('name')</script>");
  std::size_t i = 0;
  for (const char* name : kHostile) {
    builder.add_tensor({.name = name, .bytes = 64});
    builder.add_node({.name = "node " + std::to_string(i++) + name, .op = name, .outputs = {name}});
  }
  builder.add_tensor({.name = std::string(10'000, 'x'), .bytes = 64});
  return std::move(builder).build();
}

TEST(HtmlReport, HostileNamesCannotLeaveTheData) {
  const Graph graph = hostile_graph();
  const std::string page = html_report(graph, plan_for(graph));
  const std::string begin = "<script type=\"application/json\" id=\"data\">";
  const std::size_t from = page.find(begin) + begin.size();
  const std::size_t to = page.find("</script>", from);
  const std::string data = page.substr(from, to - from);
  EXPECT_EQ(data.find_first_of("<>"), std::string::npos);
  const Json parsed = Json::parse(data);  // whole: nothing ended it early
  EXPECT_EQ(parsed["graph"]["name"], graph.name());
  EXPECT_EQ(parsed["nodes"]["name"].size(), graph.num_nodes());
  EXPECT_EQ(page.substr(0, from).find("alert("), std::string::npos);
  EXPECT_EQ(page.substr(to).find("alert("), std::string::npos);
}

TEST(HtmlReport, LoadsNothing) {
  const Graph graph = training_graph();
  const std::string page = html_report(graph, plan_for(graph));
  for (const char* mark : {"src=\"", "@import", "url(http", "{{"})
    EXPECT_EQ(page.find(mark), std::string::npos) << mark;
  EXPECT_NE(page.find("default-src 'none'"), std::string::npos);
}

}  // namespace
}  // namespace lowtide
