#include "lowtide/io/interval_csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "lowtide/graph/error.h"

namespace lowtide {
namespace {

using ::testing::HasSubstr;

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
  EXPECT_EQ(csv.ids[1], "b");
}

TEST(IntervalCsv, AnInclusiveEndIsOneLess) {
  const auto csv = parse_interval_csv("start,end,size\n3,8,16\n", "f.csv");
  EXPECT_EQ(csv.problem.buffers[BufferId(0)].lifetime, (Interval{3, 9}));
}

TEST(IntervalCsv, WritesTheSameFileWithOffsets) {
  const auto plain = parse_interval_csv("id,lower,upper,size\na,0,1,2\nb,0,1,2\n", "f.csv");
  EXPECT_EQ(format_interval_csv(plain, {0, 2}),
            "id,lower,upper,size,offset\na,0,1,2,0\nb,0,1,2,2\n");
  const auto given =
      parse_interval_csv("offset,lower,upper,size,note\n,0,1,2,n\n2,0,1,2,m\n", "f.csv");
  EXPECT_EQ(format_interval_csv(given, {0, 2}),
            "offset,lower,upper,size,note\n0,0,1,2,n\n2,0,1,2,m\n");
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
  EXPECT_THAT(error_of("lower,upper,size,gaps\n0,9,5,2-4\n"), HasSubstr("gaps"));
}

// Any bytes are either read or refused in one line; nothing crashes.
TEST(IntervalCsv, SurvivesMutatedFiles) {
  const std::string good = "id,lower,upper,size,alignment,offset\n0,1,5,64,8,\n1,2,9,32,1,0\n";
  std::mt19937_64 random(1);
  for (int i = 0; i < 20'000; ++i) {
    std::string text = good;
    for (std::uint64_t k = random() % 4 + 1; k > 0; --k)
      text[random() % text.size()] = "0123456789,-\n\r x."[random() % 17];
    try {
      const auto csv = parse_interval_csv(text, "f.csv");
      EXPECT_EQ(csv.lines.size(), csv.problem.buffers.size() + 1);
    } catch (const InputError& error) {
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace lowtide
