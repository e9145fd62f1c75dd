#include "lowtide/io/graph_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lowtide/graph/error.h"
#include "support/random_graph.h"

namespace lowtide {
namespace {

using ::testing::HasSubstr;

std::string document(const std::string& tensors, const std::string& nodes) {
  return R"({"format":"lowtide-graph","version":1,"name":"g","tensors":[)" + tensors +
         R"(],"nodes":[)" + nodes + "]}";
}

std::string error_of(const std::string& text) {
  try {
    parse_graph(text, "g.json");
  } catch (const InputError& error) {
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    EXPECT_THAT(error.what(), ::testing::StartsWith("g.json: "));
    return error.what();
  }
  return "accepted";
}

TEST(GraphJson, RoundTripsEveryFeature) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const std::string text = format_graph(testing::random_graph(seed));
    EXPECT_EQ(format_graph(parse_graph(text, "g.json")), text);
  }
}

TEST(GraphJson, KeepsMetaAndHostileNames) {
  const std::string name = R"(</script>\"é\u0001\n)";
  const Graph graph = parse_graph(R"({"nodes":[],"meta":{"a":[1,2.5,null]},"source":"s",)"
                                  R"("tensors":[{"name":")" +
                                      name +
                                      R"(","bytes":3}],"version":1,)"
                                      R"("format":"lowtide-graph"})",
                                  "g.json");
  EXPECT_EQ(graph.meta_json(), R"({"a":[1,2.5,null]})");
  EXPECT_EQ(parse_graph(document("", "").insert(1, R"("meta":null,)"), "g.json").meta_json(), "");
  EXPECT_EQ(
      parse_graph(document("", "").insert(1, R"("meta":{"z":1,"a":{"z":[{}],"z":"\u00e9"}},)"),
                  "g.json")
          .meta_json(),
      R"({"z":1,"a":{"z":[{}],"z":"\u00e9"}})");
  EXPECT_EQ(graph.tensor_name(TensorId(0)), "</script>\"\xC3\xA9\x01\n");
  EXPECT_EQ(format_graph(parse_graph(format_graph(graph), "x")), format_graph(graph));
}

TEST(GraphJson, NodesMayStandBeforeTensors) {
  const Graph graph =
      parse_graph(R"({"format":"lowtide-graph","version":1,"nodes":[{"name":"n","outputs":["t"]}],)"
                  R"("tensors":[{"name":"t","bytes":7}]})",
                  "g.json");
  EXPECT_EQ(graph.bytes(graph.outputs(NodeId(0))[0]), 7);
}

TEST(GraphJson, UnknownFieldsAreIgnored) {
  const Graph graph = parse_graph(
      document(R"({"name":"t","bytes":7,"shape":[1,[2]],"x":{"tensors":[{}]}})", ""), "g.json");
  EXPECT_EQ(graph.num_tensors(), 1u);
}

TEST(GraphJson, SaysWhatIsWrongAndWhere) {
  EXPECT_THAT(error_of(""), HasSubstr("not JSON"));
  EXPECT_THAT(error_of("{"), HasSubstr("not JSON"));
  EXPECT_THAT(error_of(document("", "").substr(0, 60)), HasSubstr("not JSON"));
  EXPECT_THAT(error_of("\xff\xfe"), HasSubstr("not JSON"));
  EXPECT_THAT(error_of("[1]"), HasSubstr("must be an object"));
  EXPECT_THAT(error_of("{}"), HasSubstr("has no format"));
  EXPECT_THAT(error_of(R"({"format":"png","version":1})"), HasSubstr("lowtide-graph"));
  EXPECT_THAT(error_of(R"({"format":"lowtide-graph","version":2,"tensors":[],"nodes":[]})"),
              HasSubstr("version"));
  EXPECT_THAT(error_of(R"({"format":"lowtide-graph","version":1,"nodes":[]})"),
              HasSubstr("has no tensors"));
  EXPECT_THAT(error_of(R"({"format":"lowtide-graph","version":1,"nodes":{},"tensors":[]})"),
              HasSubstr("nodes must be a list"));
  EXPECT_THAT(error_of(document("7", "")), HasSubstr("tensor 0: must be an object"));
  EXPECT_THAT(error_of(document("[7]", "")), HasSubstr("tensor 0: must be an object"));
  EXPECT_THAT(error_of(document(R"({"bytes":1})", "")), HasSubstr("tensor 0: has no name"));
  EXPECT_THAT(error_of(document(R"({"name":"t"})", "")), HasSubstr("'t': has no bytes"));
  EXPECT_THAT(error_of(document(R"({"name":"t","bytes":-1})", "")),
              HasSubstr("'t': bytes is negative"));
  EXPECT_THAT(error_of(document(R"({"name":"t","bytes":1.5})", "")), HasSubstr("whole number"));
  EXPECT_THAT(error_of(document(R"({"name":"t","bytes":9223372036854775808})", "")),
              HasSubstr("2^63"));
  EXPECT_THAT(error_of(document(R"({"name":"t","bytes":1e400})", "")), HasSubstr("overflow"));
  EXPECT_THAT(error_of(document(R"({"name":"t","bytes":"1"})", "")), HasSubstr("whole number"));
  EXPECT_THAT(error_of(document(R"({"name":"t","bytes":1,"kind":"thing"})", "")),
              HasSubstr("kind 'thing'"));
  EXPECT_THAT(error_of(document(R"({"name":"t","bytes":1,"output":1})", "")),
              HasSubstr("true or false"));
  EXPECT_THAT(error_of(document("", R"({"name":"n","inputs":"t"})")),
              HasSubstr("'n': inputs must be a list"));
  EXPECT_THAT(error_of(document("", R"({"name":"n","inputs":[1]})")),
              HasSubstr("'n': inputs must be a list"));
  EXPECT_THAT(error_of(document("", R"({"name":"n","may_reuse":["a"]})")),
              HasSubstr("'n': may_reuse"));
  const std::string deep(100'000, '[');
  EXPECT_THAT(error_of(deep), HasSubstr("must be an object"));
  EXPECT_THAT(error_of("{\"meta\":" + deep), HasSubstr("nested too deeply"));
  EXPECT_THAT(error_of("{\"unknown\":" + deep), HasSubstr("nested too deeply"));
  EXPECT_THAT(error_of(document("", R"({"name":"n","inputs":[["a"]]})")),
              HasSubstr("node 'n': inputs: must hold no lists and objects"));
  EXPECT_THAT(error_of(document("", R"({"name":"n","outputs":[],"inputs":[],"outputs":[]})")),
              HasSubstr("node 'n': 'outputs' stands twice"));
  EXPECT_THAT(error_of(document("", R"({"name":"n","may_reuse":{"a":"b","a":"c"}})")),
              HasSubstr("node 'n': may_reuse: 'a' stands twice"));
  EXPECT_THAT(
      error_of(R"({"format":"lowtide-graph","version":1,"tensors":[],"nodes":[],"tensors":[]})"),
      HasSubstr("graph: 'tensors' stands twice"));
}

}  // namespace
}  // namespace lowtide
