#include "lowtide/graph/graph_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace lowtide {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// x (weight) -> a -> (t) -> b -> (u, kept)
GraphBuilder chain() {
  GraphBuilder builder("chain", "test");
  builder.add_tensor({.name = "x", .bytes = 100, .kind = TensorKind::kParameter});
  builder.add_tensor({.name = "t", .bytes = 10});
  builder.add_tensor({.name = "u", .bytes = 4, .output = true});
  builder.add_node(
      {.name = "a", .op = "mul", .inputs = {"x"}, .outputs = {"t"}, .phase = "forward"});
  builder.add_node({.name = "b", .op = "sum", .inputs = {"t", "t", "x"}, .outputs = {"u"}});
  return builder;
}

TEST(GraphBuilder, BuildsWhatWasAdded) {
  const Graph graph = chain().build();
  ASSERT_EQ(graph.num_nodes(), 2u);
  ASSERT_EQ(graph.num_tensors(), 3u);
  const NodeId a(0), b(1);
  const TensorId x(0), t(1), u(2);
  EXPECT_EQ(graph.node_name(b), "b");
  EXPECT_EQ(graph.op(b), "sum");
  EXPECT_EQ(graph.phase(a), "forward");
  EXPECT_EQ(graph.persistent_bytes(), 100);
  EXPECT_THAT(graph.inputs(b), ElementsAre(t, x));  // read twice, listed once
  EXPECT_THAT(graph.consumers(x), ElementsAre(a, b));
  EXPECT_EQ(graph.producer(t), a);
  EXPECT_TRUE(graph.producer(x).is_none());
  EXPECT_TRUE(graph.is_output(u));
  EXPECT_THAT(graph.predecessors(b), ElementsAre(a));
  EXPECT_THAT(graph.successors(a), ElementsAre(b));
}

TEST(GraphBuilder, TensorsMayBeDeclaredAfterTheirNodes) {
  GraphBuilder builder;
  builder.add_node({.name = "a", .outputs = {"late"}});
  builder.add_tensor({.name = "early", .bytes = 1});
  builder.add_tensor({.name = "late", .bytes = 2});
  const Graph graph = std::move(builder).build();
  EXPECT_EQ(graph.tensor_name(graph.outputs(NodeId(0))[0]), "late");
  EXPECT_EQ(graph.producer(TensorId(1)), NodeId(0));
}

TEST(GraphBuilder, EmptyGraphIsAGraph) { EXPECT_EQ(GraphBuilder().build().num_nodes(), 0u); }

TEST(GraphBuilder, APlannedTensorThatIsMutatedIsRead) {
  GraphBuilder builder = chain();
  builder.add_node({.name = "c", .mutates = {"t"}});
  const Graph graph = std::move(builder).build();
  EXPECT_THAT(graph.consumers(TensorId(1)), ElementsAre(NodeId(1), NodeId(2)));
}

TEST(GraphBuilder, IsUsedUpByBuild) {
  GraphBuilder builder = chain();
  std::move(builder).build();
  EXPECT_THROW(std::move(builder).build(), InputError);
}

struct BadGraph {
  const char* label;
  std::function<void(GraphBuilder&)> spoil;
  std::vector<const char*> message_parts;
};

class BadGraphs : public ::testing::TestWithParam<BadGraph> {};

TEST_P(BadGraphs, NameElementAndReason) {
  try {
    GraphBuilder builder = chain();
    GetParam().spoil(builder);
    std::move(builder).build();
    FAIL() << "accepted";
  } catch (const InputError& error) {
    for (const char* part : GetParam().message_parts) EXPECT_THAT(error.what(), HasSubstr(part));
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, BadGraphs,
    ::testing::Values(
        BadGraph{
            "duplicate tensor", [](auto& b) { b.add_tensor({.name = "t"}); }, {"'t'", "twice"}},
        BadGraph{"duplicate node", [](auto& b) { b.add_node({.name = "a"}); }, {"'a'", "twice"}},
        BadGraph{"nameless tensor", [](auto& b) { b.add_tensor({}); }, {"tensor 3", "no name"}},
        BadGraph{"unknown input",
                 [](auto& b) { b.add_node({.name = "c", .inputs = {"nope"}}); },
                 {"'c'", "unknown tensor 'nope'", "inputs"}},
        BadGraph{"unknown output",
                 [](auto& b) { b.add_node({.name = "c", .outputs = {"nope"}}); },
                 {"'c'", "unknown tensor 'nope'", "outputs"}},
        BadGraph{"unknown mutated",
                 [](auto& b) { b.add_node({.name = "c", .mutates = {"nope"}}); },
                 {"'c'", "unknown tensor 'nope'", "mutates"}},
        BadGraph{"unknown after",
                 [](auto& b) { b.add_node({.name = "c", .after = {"nope"}}); },
                 {"'c'", "unknown node 'nope'"}},
        BadGraph{"two producers",
                 [](auto& b) { b.add_node({.name = "c", .outputs = {"t"}}); },
                 {"'c'", "'t'", "already has a producer", "'a'"}},
        BadGraph{"persistent output",
                 [](auto& b) { b.add_node({.name = "c", .outputs = {"x"}}); },
                 {"'c'", "'x'", "persistent"}},
        BadGraph{"negative",
                 [](auto& b) { b.add_tensor({.name = "n", .bytes = -5}); },
                 {"'n'", "negative"}},
        BadGraph{"negative workspace",
                 [](auto& b) { b.add_node({.name = "c", .workspace_bytes = -5}); },
                 {"'c'", "workspace_bytes", "negative"}},
        BadGraph{"not a time",
                 [](auto& b) { b.add_node({.name = "c", .time_us = -1}); },
                 {"'c'", "time_us"}},
        BadGraph{"sum too large",
                 [](auto& b) { b.add_tensor({.name = "huge", .bytes = kMaxBytes}); },
                 {"'huge'", "2^60"}},
        BadGraph{"cycle",
                 [](auto& b) {
                   b.add_tensor({.name = "v", .bytes = 1});
                   b.add_node({.name = "c", .inputs = {"t"}, .outputs = {"v"}, .after = {"d"}});
                   b.add_node({.name = "d", .inputs = {"v"}});
                 },
                 {"cycle", "'c' -> 'd' -> 'c'"}},
        BadGraph{"self cycle",
                 [](auto& b) { b.add_node({.name = "c", .after = {"c"}}); },
                 {"'c' -> 'c'"}},
        BadGraph{"illegal order",
                 [](auto& b) {
                   b.add_node({.name = "c", .after = {"d"}});
                   b.add_node({.name = "d"});
                 },
                 {"'c'", "'d'", "legal program order"}},
        BadGraph{"reuse of no output",
                 [](auto& b) {
                   b.add_node({.name = "c", .inputs = {"t"}, .may_reuse = {{"u", "t"}}});
                 },
                 {"'c'", "'u' is not an output"}},
        BadGraph{"reuse of no input",
                 [](auto& b) {
                   b.add_tensor({.name = "v", .bytes = 1});
                   b.add_node({.name = "c", .outputs = {"v"}, .may_reuse = {{"v", "t"}}});
                 },
                 {"'c'", "'t' is not an input"}},
        BadGraph{"two new tensors in the place of one",
                 [](auto& b) {
                   b.add_tensor({.name = "v", .bytes = 1});
                   b.add_tensor({.name = "w", .bytes = 1});
                   b.add_node({.name = "c",
                               .inputs = {"t"},
                               .outputs = {"v", "w"},
                               .may_reuse = {{"v", "t"}, {"w", "t"}}});
                 },
                 {"'c'", "may_reuse: 't' is in several pairs"}},
        BadGraph{"one new tensor in the place of two",
                 [](auto& b) {
                   b.add_tensor({.name = "v", .bytes = 1});
                   b.add_node({.name = "c",
                               .inputs = {"t", "u"},
                               .outputs = {"v"},
                               .may_reuse = {{"v", "t"}, {"v", "u"}}});
                 },
                 {"'c'", "may_reuse: 'v' is in several pairs"}},
        BadGraph{"a very long name with line breaks",
                 [](auto& b) { b.add_tensor({.name = std::string(10000, '\n'), .bytes = -1}); },
                 {"negative"}}),
    [](const auto& test) {
      std::string name = test.param.label;
      for (char& c : name)
        if (c == ' ') c = '_';
      return name;
    });

}  // namespace
}  // namespace lowtide
