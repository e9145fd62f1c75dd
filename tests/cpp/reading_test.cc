// What readers remark, once a name, and what they refuse when they are strict.
#include "lowtide/io/reading.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lowtide/graph/error.h"
#include "lowtide/io/graph_json.h"
#include "lowtide/io/interval_csv.h"
#include "lowtide/io/plan_json.h"

namespace lowtide {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr const char* kGraph =
    R"({"format":"lowtide-graph","version":1,"nme":"g","tensors":[{"name":"a","bytes":1,"bits":8},
        {"name":"b","bytes":1,"bits":8}],"nodes":[{"name":"n","ouputs":["a"],"colour":{"r":[1]}}]})";
constexpr const char* kPlan =
    R"({"format":"lowtide-plan","version":1,"graph":"","schedule":["n"],"offsets":{"a":0,"b":1},"by":"me",
        "alignment":1,"peak_bytes":2,"peak_lower_bound_bytes":0,"arena_bytes":2,
        "arena_lower_bound_bytes":0,"order_status":"feasible","layout_status":"feasible"})";
constexpr const char* kBuffers = "id,lower,upper,size,alignement,op\na,0,1,4,2,relu\n";

struct Lines {
  std::vector<std::string> lines;
  Reading reading{.warn = [this](const std::string& text) { lines.push_back(text); }};
};

template <class Read>
std::string error_of(const Read& read) {
  try {
    read(Reading{.strict = true});
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Reading, UnknownFieldsOfAGraphAreNamedOnce) {
  Lines heard;
  parse_graph(kGraph, "g.json", heard.reading);
  EXPECT_THAT(heard.lines,
              ElementsAre("g.json: unknown field 'nme'; did you mean 'name'?",
                          "g.json: tensor 'a': unknown field 'bits'",
                          "g.json: node 'n': unknown field 'ouputs'; did you mean 'outputs'?",
                          "g.json: node 'n': unknown field 'colour'"));
  EXPECT_THAT(error_of([](const Reading& strict) { parse_graph(kGraph, "g.json", strict); }),
              StartsWith("g.json: unknown field 'nme'"));
  EXPECT_NO_THROW(parse_graph(kGraph, "g.json"));
}

TEST(Reading, UnknownFieldsOfAPlan) {
  const Graph graph = parse_graph(kGraph, "g.json");
  Lines heard;
  EXPECT_TRUE(parse_plan(kPlan, "p.json", graph, heard.reading).mismatches.empty());
  EXPECT_THAT(heard.lines, ElementsAre("p.json: unknown field 'by'"));
  EXPECT_EQ(error_of([&](const Reading& strict) { parse_plan(kPlan, "p.json", graph, strict); }),
            "p.json: unknown field 'by'");
}

// Columns that `report --csv` writes are no surprise.
TEST(Reading, UnknownColumns) {
  Lines heard;
  parse_interval_csv(kBuffers, "b.csv", heard.reading);
  EXPECT_THAT(heard.lines,
              ElementsAre("b.csv: unknown column 'alignement'; did you mean 'alignment'?"));
  EXPECT_THAT(
      error_of([](const Reading& strict) { parse_interval_csv(kBuffers, "b.csv", strict); }),
      HasSubstr("unknown column 'alignement'"));
}

TEST(Reading, AFileOfOtherFieldsIsNoFlood) {
  std::string text = R"({"format":"lowtide-graph","version":1,"tensors":[],"nodes":[])";
  for (int i = 0; i < 1000; ++i) text += ",\"field" + std::to_string(i) + "\":" + std::to_string(i);
  Lines heard;
  parse_graph(text + "}", "g.json", heard.reading);
  EXPECT_LT(heard.lines.size(), 30U);
  EXPECT_EQ(heard.lines.back(), "g.json: and other unknown fields");
}

TEST(Reading, StrictGraphsKeepReadsBeforeWrites) {
  const auto text = [](const std::string& after) {
    return R"({"format":"lowtide-graph","version":1,"tensors":[{"name":"w","bytes":1,"kind":"parameter"},
           {"name":"y","bytes":1}],"nodes":[{"name":"forward","inputs":["w"],"outputs":["y"]},
           {"name":"update","mutates":["w"])" +
           after + "}]}";
  };
  EXPECT_NO_THROW(parse_graph(text(""), "g.json"));
  EXPECT_NO_THROW(parse_graph(text(R"(,"after":["forward"])"), "g.json", {.strict = true}));
  EXPECT_NO_THROW(parse_graph(text(R"(,"inputs":["y"])"), "g.json", {.strict = true}));
  EXPECT_THAT(
      error_of([&](const Reading& strict) { parse_graph(text(""), "g.json", strict); }),
      StartsWith("g.json: node 'update' writes tensor 'w' and may overtake node 'forward'"));
}

}  // namespace
}  // namespace lowtide
