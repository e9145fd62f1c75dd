// What lowtide writes beside the page: terminal, diff, SVG, trace, CSV, dot. Each is read back and
// compared with the timeline it came from.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <sstream>

#include "lowtide/graph/graph_builder.h"
#include "lowtide/io/graph_json.h"
#include "lowtide/planner/planner.h"
#include "lowtide/report/contributors.h"
#include "lowtide/report/diff.h"
#include "lowtide/report/inspect.h"
#include "lowtide/report/peak_dot.h"
#include "lowtide/report/svg.h"
#include "lowtide/report/tensor_csv.h"
#include "lowtide/report/trace_json.h"
#include "support/random_graph.h"

namespace lowtide {
namespace {

using Json = nlohmann::json;

Graph model(const char* name) {
  return load_graph(std::string(LOWTIDE_TEST_DATA) + "/" + name + ".json");
}

Plan plan_for(const Graph& graph) { return plan(graph, {.step_limit = 100'000}).plan; }

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::size_t characters(const std::string& utf8) {
  return static_cast<std::size_t>(std::count_if(utf8.begin(), utf8.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

Graph hostile() {
  GraphBuilder builder("a|`b`\n<c>");
  builder.add_tensor({.name = "</title><script>", .bytes = 5000});
  builder.add_tensor({.name = "x,\"y\"|`@team`", .bytes = 7000, .output = true});
  builder.add_node({.name = "n\"]; evil [", .op = "op\nop", .outputs = {"</title><script>"}});
  builder.add_node({.name = "m", .inputs = {"</title><script>"}, .outputs = {"x,\"y\"|`@team`"}});
  return std::move(builder).build();
}

// -- terminal ----------------------------------------------------------------------------------

TEST(Inspect, TheCurveHasItsSizeAndAFullColumnAtThePeak) {
  const Graph graph = model("transformer-train");
  const Timeline timeline = make_timeline(graph, program_order_of(graph));
  const std::string text = draw_curve(graph, timeline, {.columns = 70, .rows = 9});
  const auto lines = lines_of(text);
  ASSERT_GE(lines.size(), 11u);
  for (std::size_t row = 0; row < 9; ++row) EXPECT_EQ(characters(lines[row]), 70u) << lines[row];
  EXPECT_NE(lines[0].find("█"), std::string::npos);  // only the peak fills the top row
  EXPECT_EQ(text.find('\033'), std::string::npos);
  EXPECT_NE(lines[9].find("fff"), std::string::npos);
}

TEST(Inspect, DrawsAnyGraph) {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    const Graph graph = testing::random_graph(seed, {.num_nodes = static_cast<int>(1 + seed)});
    EXPECT_FALSE(inspect_text(graph, make_timeline(graph, program_order_of(graph))).empty());
  }
  const Graph empty = GraphBuilder().build();
  EXPECT_NE(inspect_text(empty, make_timeline(empty, Schedule())).find("no nodes"),
            std::string::npos);
  const Graph odd = hostile();
  for (const std::string& line : lines_of(inspect_text(odd, make_timeline(odd, plan_for(odd)))))
    EXPECT_EQ(line.find("evil [\n"), std::string::npos);
}

TEST(Inspect, GroupsAddUpToThePeak) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const Graph graph = testing::random_graph(seed, {.num_nodes = 15});
    const Timeline timeline =
        make_timeline(graph, testing::with_reuses(graph, program_order_of(graph)));
    for (const GroupBy by : {GroupBy::kPhase, GroupBy::kOperator}) {
      Bytes sum = 0;
      for (const LiveGroup& group : groups_at_peak(graph, timeline, by)) sum += group.bytes;
      EXPECT_EQ(sum, timeline.peak_bytes) << seed;
    }
  }
}

TEST(Inspect, NamesTheTightBound) {
  const Graph graph = testing::random_graph(7, {.num_nodes = 15});
  const Timeline timeline = make_timeline(graph, program_order_of(graph));
  const Plan plan = plan_for(graph);
  BoundReason reason = explain_bound(graph, plan, Limits::within_steps(kExplanationSteps));
  const auto says = [&](BoundKind kind, const char* words) {
    reason.kind = kind;
    return bound_text(graph, timeline, plan, reason).find(words) != std::string::npos;
  };
  EXPECT_TRUE(says(BoundKind::kForced, "reachability"));
  EXPECT_TRUE(says(BoundKind::kCut, "minimum cut"));
  EXPECT_TRUE(says(BoundKind::kSearch, "exhausted search"));
}

// -- peaks compared ----------------------------------------------------------------------------

TEST(PeakChanges, AddUpToTheDifferenceOfThePeaks) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const Graph before = testing::random_graph(seed, {.num_nodes = 15});
    const Graph after = testing::random_graph(seed + 1000, {.num_nodes = 18});
    const Timeline old_timeline =
        make_timeline(before, testing::with_reuses(before, program_order_of(before)));
    const Timeline new_timeline =
        make_timeline(after, testing::with_reuses(after, program_order_of(after)));
    const auto changes = peak_changes(before, old_timeline, after, new_timeline);
    const Bytes sum = std::accumulate(changes.begin(), changes.end(), Bytes{0},
                                      [](Bytes s, const PeakChange& c) { return s + c.change(); });
    EXPECT_EQ(sum, new_timeline.peak_bytes - old_timeline.peak_bytes);
  }
}

TEST(Diff, NamesTheTensorThatGrew) {
  const auto chain = [](Bytes middle) {
    GraphBuilder builder("chain");
    builder.add_tensor({.name = "a", .bytes = 100});
    builder.add_tensor({.name = "b", .bytes = middle});
    builder.add_tensor({.name = "c", .bytes = 100, .output = true});
    builder.add_node({.name = "one", .outputs = {"a"}});
    builder.add_node({.name = "two", .inputs = {"a"}, .outputs = {"b"}});
    builder.add_node({.name = "three", .inputs = {"b"}, .outputs = {"c"}});
    return std::move(builder).build();
  };
  const Graph before = chain(1000);
  const Graph after = chain(3048);
  const Plan old_plan = plan_for(before);
  const Plan new_plan = plan_for(after);
  const std::string text = diff_report({before, old_plan}, {after, new_plan}, DiffFormat::kText);
  EXPECT_NE(text.find("+2.00 KiB"), std::string::npos) << text;
  EXPECT_NE(text.find("'b'"), std::string::npos) << text;
  EXPECT_EQ(text.find("'c'"), std::string::npos) << text;
  const std::string same = diff_report({after, new_plan}, {after, new_plan}, DiffFormat::kText);
  EXPECT_NE(same.find("the same tensors"), std::string::npos) << same;
}

TEST(Diff, MarkdownKeepsItsCellsWhateverTheNames) {
  const Graph before = hostile();
  const Graph after = model("cnn-train");
  const Plan old_plan = plan_for(before);
  const Plan new_plan = plan_for(after);
  for (const std::string& line :
       lines_of(diff_report({before, old_plan}, {after, new_plan}, DiffFormat::kMarkdown, 3))) {
    if (line.empty() || line[0] != '|') continue;
    std::size_t bars = 0;
    for (std::size_t i = 0; i < line.size(); ++i)
      bars += line[i] == '|' && (i == 0 || line[i - 1] != '\\');
    EXPECT_EQ(bars, 5u) << line;
    EXPECT_EQ(std::count(line.begin(), line.end(), '`') % 2, 0) << line;
  }
}

// -- files -------------------------------------------------------------------------------------

TEST(TensorCsv, HasARowATensorAndQuotesNames) {
  const Graph graph = model("cnn-train");
  const Plan plan = plan_for(graph);
  const auto lines = lines_of(tensor_csv(graph, plan));
  EXPECT_EQ(lines.size(), 1 + make_timeline(graph, plan).planned.size());
  EXPECT_EQ(lines[0].rfind("id,lower,upper,size,offset", 0), 0u);
  const Graph odd = hostile();
  EXPECT_NE(tensor_csv(odd, plan_for(odd)).find("\"x,\"\"y\"\"|`@team`\",1,2,7000,"),
            std::string::npos);
}

TEST(TraceJson, LanesDoNotOverlapAndTheCounterIsTheCurve) {
  const Graph graph = model("transformer-train");
  const Plan plan = plan_for(graph);
  const Timeline timeline = make_timeline(graph, plan);
  const Json trace = Json::parse(trace_json(graph, plan));
  std::vector<Bytes> counter;
  std::map<int, double> lane_end;
  std::size_t slices = 0;
  for (const Json& event : trace["traceEvents"]) {
    if (event["ph"] == "C") counter.push_back(event["args"]["bytes"]);
    if (event["ph"] != "X" || event["pid"] != 2) continue;
    ++slices;
    double& end = lane_end[event["tid"]];
    EXPECT_LE(end, event["ts"].get<double>());
    end = event["ts"].get<double>() + event["dur"].get<double>();
  }
  ASSERT_EQ(counter.back(), 0);
  counter.pop_back();
  EXPECT_EQ(counter, timeline.curve);
  EXPECT_EQ(slices, timeline.planned.size());
  std::size_t most_live = 0;
  for (std::size_t s = 0; s < timeline.curve.size(); ++s)
    most_live = std::max(most_live, live_at(graph, timeline, static_cast<Step>(s)).size());
  EXPECT_EQ(lane_end.size(), most_live);  // no more lanes than needed
}

TEST(PeakDot, ShowsThePeakAndQuotesNames) {
  const Graph graph = model("transformer-train");
  const Timeline timeline = make_timeline(graph, plan_for(graph));
  const std::string dot = peak_dot(graph, timeline);
  const NodeId peak = timeline.schedule[static_cast<std::size_t>(timeline.peak_step)];
  EXPECT_NE(dot.find("  n" + std::to_string(peak.value()) + " ["), std::string::npos);
  EXPECT_LT(lines_of(dot).size(), 200u);
  const Graph odd = hostile();
  const std::string quoted = peak_dot(odd, make_timeline(odd, plan_for(odd)));
  EXPECT_NE(quoted.find("n\\\"]; evil ["), std::string::npos) << quoted;
  EXPECT_EQ(quoted.find("\nop"), std::string::npos);
}

TEST(Svg, HoldsEveryVisibleTensorAndNoMarkupOfNames) {
  const Graph graph = model("transformer-train");
  const Plan plan = plan_for(graph);
  const std::string map = addresses_svg(graph, plan, {.width = 4000, .height = 2000});
  std::size_t titles = 0;
  for (std::size_t at = map.find("<title>"); at != std::string::npos;
       at = map.find("<title>", at + 1))
    ++titles;
  EXPECT_GT(titles, make_timeline(graph, plan).planned.size() / 2);
  EXPECT_NE(memory_svg(graph, plan).find("<path"), std::string::npos);
  const Graph odd = hostile();
  for (const std::string& svg :
       {addresses_svg(odd, plan_for(odd)), memory_svg(odd, plan_for(odd))}) {
    EXPECT_EQ(svg.find("<script"), std::string::npos);
    EXPECT_EQ(svg.find("<c>"), std::string::npos);
  }
}

TEST(Svg, CurvesOfManyStepsAreThinned) {
  GraphBuilder builder("long");
  for (int i = 0; i < 30'000; ++i) {
    const std::string name = std::to_string(i);
    builder.add_tensor({.name = name, .bytes = 1 + i % 7});
    builder.add_node({.name = name, .outputs = {name}});
  }
  const Graph graph = std::move(builder).build();
  EXPECT_LT(memory_svg(graph, plan(graph, {.order = "given", .layout = "first_fit"}).plan).size(),
            150'000u);
}

}  // namespace
}  // namespace lowtide
