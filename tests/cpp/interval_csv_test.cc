#include "lowtide/io/interval_csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "lowtide/graph/error.h"
#include "lowtide/io/csv.h"

namespace lowtide {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

AnswerColumn column(std::string_view name, const std::vector<std::string>& values) {
  return {name, [&values](BufferId b) { return values[b.index()]; }};
}

std::string written(const IntervalCsv& csv, std::span<const AnswerColumn> columns) {
  std::string text;
  write_interval_csv(csv, columns, [&](std::string_view piece) { text += piece; });
  return text;
}

std::string with_offsets(const IntervalCsv& csv, const std::vector<std::string>& offsets) {
  const AnswerColumn offset = column("offset", offsets);
  return written(csv, {&offset, 1});
}

std::string with_banks_and_offsets(const IntervalCsv& csv, const std::vector<std::string>& banks,
                                   const std::vector<std::string>& offsets) {
  const AnswerColumn columns[] = {column("bank", banks), column("offset", offsets)};
  return written(csv, columns);
}

TEST(IntervalCsv, ReadsMiniMallocsColumnsInAnyOrder) {
  const auto csv = parse_interval_csv(
      "size,id,note,upper,lower,alignment,offset\n"
      "16,a,x,9,3,8,\r\n"
      "\n"
      "4,b,y,5,5,1,24\n",
      "f.csv");
  ASSERT_EQ(csv.problem.buffers.size(), 2u);
  const Buffer& a = csv.problem.buffers[BufferId(0)];
  EXPECT_EQ(a.lifetime, (Interval{3, 9}));
  EXPECT_EQ(a.size, 16);
  EXPECT_EQ(a.alignment, 8);
  EXPECT_FALSE(a.fixed_offset.has_value());
  EXPECT_EQ(csv.problem.buffers[BufferId(1)].fixed_offset, 24);
  EXPECT_EQ(csv.id(BufferId(1)), "b");
}

TEST(IntervalCsv, AnInclusiveEndIsOneLess) {
  const auto csv = parse_interval_csv("start,end,size\n3,8,16\n", "f.csv");
  EXPECT_EQ(csv.problem.buffers[BufferId(0)].lifetime, (Interval{3, 9}));
}

// The lines of MiniMalloc's own tests (tests/converter_test.cc).
TEST(IntervalCsv, ReadsMiniMallocsGapsAndHints) {
  const auto csv = parse_interval_csv(
      "start,size,buffer,upper,alignment,gaps,hint\n"
      "6,18,1,12,2,7-9 ,0\n5,15,0,15,1,9-11 12-14@2:13,-1\n",
      "f.csv");
  ASSERT_EQ(csv.gaps.size(), 3u);
  EXPECT_EQ(csv.gaps[0].buffer, BufferId(0));
  EXPECT_EQ(csv.gaps[0].lifetime, (Interval{7, 9}));
  EXPECT_FALSE(csv.gaps[0].window.has_value());
  EXPECT_EQ(csv.gaps[2].lifetime, (Interval{12, 14}));
  EXPECT_EQ(csv.gaps[2].window->lower, 2);
  EXPECT_EQ(csv.gaps[2].window->upper, 13);
  ASSERT_EQ(csv.hints.size(), 1u);
  EXPECT_EQ(csv.hints[0].offset, 0);
  const auto old = parse_interval_csv("begin,end,size,gaps\n5,11,18,7-7 9-10\n", "f.csv");
  EXPECT_EQ(old.problem.buffers[BufferId(0)].lifetime, (Interval{5, 12}));
  EXPECT_EQ(old.gaps[0].lifetime, (Interval{7, 8}));
  EXPECT_EQ(old.gaps[1].lifetime, (Interval{9, 11}));
}

TEST(IntervalCsv, TiesBuffersOfOneName) {
  const auto csv = parse_interval_csv(
      "lower,upper,size,alias,adjacent\n0,9,4,a,\n0,9,5,,x\n0,9,4,a,x\n0,9,3,,x\n", "f.csv");
  ASSERT_EQ(csv.ties.size(), 3u);
  EXPECT_EQ(csv.ties[0].kind, Tie::kAlias);
  EXPECT_EQ(csv.ties[0].second, BufferId(2));
  EXPECT_EQ(csv.ties[2].kind, Tie::kAdjacent);
  EXPECT_EQ(csv.ties[2].first, BufferId(2));
}

TEST(IntervalCsv, PermissionsNameBuffers) {
  const auto csv = parse_interval_csv(
      "id,lower,upper,size,may_reuse\na,0,9,4,c b\nb,0,9,4,\nc,0,9,4,b\n", "f.csv");
  ASSERT_EQ(csv.may_reuse.size(), 3u);
  EXPECT_EQ(csv.may_reuse[0].first, BufferId(0));
  EXPECT_EQ(csv.may_reuse[0].second, BufferId(2));
  EXPECT_EQ(csv.may_reuse[2].second, BufferId(1));
  const auto numbered =
      parse_interval_csv("lower,upper,size,may_reuse\n0,9,4,\n0,9,4,0\n", "f.csv");
  EXPECT_EQ(numbered.may_reuse[0].second, BufferId(0));
}

TEST(IntervalCsv, WritesTheSameFileWithOffsets) {
  const auto plain = parse_interval_csv("id,lower,upper,size\na,0,1,2\nb,0,1,2\n", "f.csv");
  EXPECT_EQ(with_offsets(plain, {"0", "2"}), "id,lower,upper,size,offset\na,0,1,2,0\nb,0,1,2,2\n");
  const auto given =
      parse_interval_csv("offset,lower,upper,size,note\n,0,1,2,n\n2,0,1,2,m\n", "f.csv");
  EXPECT_EQ(with_offsets(given, {"0", "2"}),
            "offset,lower,upper,size,note\n0,0,1,2,n\n2,0,1,2,m\n");
}

TEST(IntervalCsv, ReadsAndWritesBanks) {
  const auto csv = parse_interval_csv("lower,upper,size,banks\n0,1,2,SRAM  PSRAM\n0,1,2,\n", "f");
  EXPECT_EQ(csv.banks(BufferId(0)), (std::vector<std::string>{"SRAM", "PSRAM"}));
  EXPECT_TRUE(csv.banks(BufferId(1)).empty());
  EXPECT_EQ(with_banks_and_offsets(csv, {"PSRAM", "SRAM"}, {"0", "2"}),
            "lower,upper,size,banks,bank,offset\n0,1,2,SRAM  PSRAM,PSRAM,0\n0,1,2,,SRAM,2\n");
}

TEST(IntervalCsv, ReadsAndKeepsQuotedCells) {
  const std::string text =
      "\"id\",lower,upper,\"size\",note,may_reuse\r\n"
      "\"a,\"\"1\"\"\n\r\n2\",\"0\" , 9 ,4,\" x\",\r\n"
      " \"b\"\"\" ,0,9,5,y\"z,\r\n"
      "c,0,9,4,\"\",\"b\"\" c\"\"d\"\n"
      "\"c\"\"d\",0,9,4,\"\",";
  const auto csv = parse_interval_csv(text, "f.csv");
  ASSERT_EQ(csv.problem.buffers.size(), 4u);
  EXPECT_EQ(csv.id(BufferId(0)), "a,\"1\"\n\r\n2");
  EXPECT_EQ(csv.id(BufferId(1)), "b\"");
  EXPECT_EQ(csv.problem.buffers[BufferId(0)].lifetime, (Interval{0, 9}));
  EXPECT_EQ(csv.line_number(BufferId(1)), 5u);
  EXPECT_EQ(csv.may_reuse.size(), 2u);
  EXPECT_EQ(csv.may_reuse[1].second, BufferId(3));
  const std::string out = with_offsets(csv, {"0", "4", "0", "9"});
  EXPECT_THAT(out, HasSubstr("\"a,\"\"1\"\"\n\r\n2\",\"0\" , 9 ,4,\" x\",,0\n \"b\"\"\" ,"));
  const auto again = parse_interval_csv(out, "g.csv");
  EXPECT_THAT(with_offsets(again, {"1", "1", "1", "1"}),
              StartsWith("id,lower,upper,size,note,may_reuse,offset\n\"a,\"\"1\"\"\n\r\n2\",0,9,"))
      << "rewritten cells are quoted where they must be";
  for (BufferId b : csv.problem.buffers.ids()) EXPECT_EQ(again.id(b), csv.id(b));
}

TEST(Csv, AnyTextIsACellThatReadsBack) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20'000; ++i) {
    std::vector<std::string> texts(random() % 4 + 1);
    std::string row;
    for (std::string& text : texts) {
      for (std::uint64_t k = random() % 6; k > 0; --k) text += "\",\n\r \tab"[random() % 8];
      row += (&text == texts.data() ? "" : ",") + csv_cell(text);
    }
    const std::string file = "x" + row + "\ny";
    ASSERT_EQ(csv_row(file, 1), row);
    CsvCells cells;
    ASSERT_TRUE(cells.read(row));
    ASSERT_EQ(cells.size(), texts.size());
    for (std::size_t c = 0; c < texts.size(); ++c) EXPECT_EQ(cells[c], texts[c]);
  }
}

TEST(IntervalCsv, SaysWhatIsWrongAndWhere) {
  const auto error_of = [](const std::string& text) -> std::string {
    try {
      parse_interval_csv(text, "f.csv");
    } catch (const InputError& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_THAT(error_of(""), HasSubstr("f.csv: is empty"));
  EXPECT_THAT(error_of("id,upper,size\n"),
              HasSubstr("f.csv: line 1: the header has no column lower"));
  EXPECT_THAT(error_of("id,lower,lower,upper,size\n"), HasSubstr("twice"));
  EXPECT_THAT(error_of("lower,upper,size\n0,1\n"), HasSubstr("line 2: has 2 columns"));
  EXPECT_THAT(error_of("lower,upper,size\n0,1,\"5\n0,1,5\n"),
              HasSubstr("line 2: a quote is not closed"));
  EXPECT_THAT(error_of("lower,upper,size\n\n0,\"1\"x,5\n"),
              HasSubstr("line 3: text follows the closing quote"));
  EXPECT_THAT(error_of("id,lower,upper,size\n\"a\n\n\",0,1,5\nb,0,1,x\n"),
              HasSubstr("line 5: size"));
  EXPECT_THAT(error_of("lower,upper,size\n0,1,x\n"),
              HasSubstr("line 2: size must be a whole number"));
  EXPECT_THAT(error_of("lower,upper,size\n0,1,1.5\n"), HasSubstr("size must be a whole number"));
  EXPECT_THAT(error_of("lower,upper,size\n0,1,-5\n"), HasSubstr("size is negative"));
  EXPECT_THAT(error_of("lower,upper,size\n2,1,5\n"), HasSubstr("lower is above upper"));
  EXPECT_THAT(error_of("lower,upper,size\n0,1,99999999999999999999\n"), HasSubstr("below 2^63"));
  EXPECT_THAT(error_of("lower,upper,size\n0,1,9223372036854775807\n0,1,9\n"),
              HasSubstr("sum of all sizes"));
  EXPECT_THAT(error_of("lower,upper,size,alignment\n0,1,5,0\n"), HasSubstr("alignment"));
  EXPECT_THAT(error_of("lower,upper,size,offset\n0,1,5,-3\n"), HasSubstr("offset is negative"));
  EXPECT_THAT(error_of("lower,upper,size,gaps\n0,9,5,2-4-6\n"),
              HasSubstr("line 2: a gap must be like 7-9 or 7-9@0:64, not '2-4-6'"));
  EXPECT_THAT(error_of("lower,upper,size,gaps\n0,9,5,A-B\n"), HasSubstr("whole number"));
  EXPECT_THAT(error_of("lower,upper,size,gaps\n0,9,5,2-4@1\n"), HasSubstr("a gap must be"));
  EXPECT_THAT(error_of("lower,upper,size,gaps\n0,9,5,2-4 3-6\n"), HasSubstr("gaps overlap"));
  EXPECT_THAT(error_of("lower,upper,size,gaps\n\n0,9,5,2-4@1:6\n"),
              HasSubstr("line 3: the window of a gap"));
  EXPECT_THAT(error_of("lower,upper,size,hint\n0,9,5,x\n"), HasSubstr("hint must be"));
  EXPECT_THAT(error_of("id,lower,upper,size,may_reuse\na,0,9,5,b\n"),
              HasSubstr("line 2: may_reuse: there is no buffer 'b'"));
  EXPECT_THAT(error_of("id,lower,upper,size,may_reuse\na,0,9,5,\na,0,9,5,\nb,0,9,5,a\n"),
              HasSubstr("line 4: may_reuse: two buffers are called 'a'"));
  EXPECT_THAT(error_of("id,lower,upper,size,may_reuse\na,0,9,5,a\n"), HasSubstr("itself"));
  EXPECT_THAT(error_of("lower,upper,size,alias,adjacent\n0,9,5,a,g\n0,9,5,a,g\n"),
              HasSubstr("line 3: can't be where its aliases and its neighbours want it"));
}

TEST(IntervalCsv, GapsBeforeStepZero) {
  const auto csv = parse_interval_csv("lower,upper,size,gaps\n-9,9,5,-8--6 -1-2\n", "f.csv");
  EXPECT_EQ(csv.gaps[0].lifetime, (Interval{-8, -6}));
  EXPECT_EQ(csv.gaps[1].lifetime, (Interval{-1, 2}));
}

// Any bytes are either read or refused in one line; nothing crashes.
TEST(IntervalCsv, SurvivesMutatedFiles) {
  const std::string good =
      "id,lower,upper,size,alignment,offset,hint,gaps,alias,adjacent\n"
      "0,1,5,64,8,,3,2-3 4-5@1:9,a,\n1,2,9,32,1,0,-1,,a,x\n2,3,8,7,1,,,,,x\n";
  std::mt19937_64 random(1);
  for (int i = 0; i < 20'000; ++i) {
    std::string text = good;
    for (std::uint64_t k = random() % 4 + 1; k > 0; --k)
      text[random() % text.size()] = "0123456789,-\n\r x.@:a\"\"\""[random() % 23];
    try {
      const auto csv = parse_interval_csv(text, "f.csv");
      for (BufferId b : csv.problem.buffers.ids()) EXPECT_FALSE(csv.row(b).empty());
    } catch (const InputError& error) {
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace lowtide
