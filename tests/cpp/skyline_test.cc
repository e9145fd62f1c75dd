// The skyline dive and what it stands on: queries against plain search, and work that grows with
// the number of buffers whatever their nesting.
#include "lowtide/layout/greedy/skyline.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

#include "lowtide/layout/greedy/nested.h"
#include "lowtide/model/layout_bounds.h"
#include "lowtide/verify/layout_verifier.h"
#include "support/long_tests.h"

namespace lowtide {
namespace {

SectionRange random_range(std::mt19937_64& random, int num_sections) {
  const int a = static_cast<int>(random() % static_cast<unsigned>(num_sections));
  const int b = static_cast<int>(random() % static_cast<unsigned>(num_sections));
  return {std::min(a, b), std::max(a, b)};
}

int least_by_search(const std::vector<SectionRange>& ranges, const std::vector<char>& is_out,
                    SectionRange stretch) {
  for (std::size_t rank = 0; rank < ranges.size(); ++rank)
    if (!is_out[rank] && !ranges[rank].empty() && ranges[rank].first >= stretch.first &&
        ranges[rank].last <= stretch.last)
      return static_cast<int>(rank);
  return Nested::kNone;
}

TEST(Nested, AgreesWithPlainSearch) {
  for (std::uint64_t seed = 0; seed < testing::cases(100, 5'000); ++seed) {
    std::mt19937_64 random(seed);
    const int num_sections = 1 + static_cast<int>(random() % 60);
    std::vector<SectionRange> ranges(random() % 80);
    for (SectionRange& range : ranges)
      if (random() % 10 != 0) range = random_range(random, num_sections);
    Nested nested(ranges);
    std::vector<char> is_out(ranges.size(), 0);
    for (int query = 0; query < 100; ++query) {
      const SectionRange stretch = random_range(random, num_sections);
      const int found = nested.least_within(stretch);
      ASSERT_EQ(found, least_by_search(ranges, is_out, stretch)) << seed;
      if (found == Nested::kNone || query % 3 == 0) continue;
      nested.take_out(found);
      is_out[static_cast<std::size_t>(found)] = 1;
    }
  }
}

std::vector<BufferId> as_given(const LayoutProblem& problem) {
  std::vector<BufferId> order;
  for (BufferId b : problem.buffers.ids()) order.push_back(b);
  return order;
}

// A pyramid: each buffer lives within the one before it, so the dive meets the load.
TEST(Skyline, IsLinearOnDeepNesting) {
  constexpr Step kCount = 20'000;
  LayoutProblem problem;
  for (Step i = 0; i < kCount; ++i)
    problem.buffers.push_back({.lifetime = {i, 2 * kCount - i}, .size = 1 + i % 7});
  Meter meter(Limits::within_steps(4 * kCount));
  Layout layout;
  ASSERT_TRUE(skyline_layout(problem, make_sections(problem), as_given(problem), kMaxBytes, &meter,
                             &layout));
  EXPECT_EQ(layout.height, load(problem));
  EXPECT_EQ(layout_error(problem, layout), "");
}

TEST(Skyline, GivesUpWhereItCannotBeLower) {
  LayoutProblem problem;
  for (Bytes size : {3, 4, 5}) problem.buffers.push_back({.lifetime = {0, 1}, .size = size});
  const Sections sections = make_sections(problem);
  Meter meter{Limits()};
  Layout layout;
  EXPECT_FALSE(skyline_layout(problem, sections, as_given(problem), 12, &meter, &layout));
  EXPECT_TRUE(skyline_layout(problem, sections, as_given(problem), 13, &meter, &layout));
}

// No offset is lower than it could be: each buffer stands on the floor or on another one.
TEST(Skyline, LayoutsAreValidAndRest) {
  for (std::uint64_t seed = 0; seed < testing::cases(300, 20'000); ++seed) {
    std::mt19937_64 random(seed);
    LayoutProblem problem;
    for (std::size_t i = 0; i < random() % 40; ++i) {
      const Step lower = static_cast<Step>(random() % 30);
      problem.buffers.push_back({.lifetime = {lower, lower + static_cast<Step>(random() % 20)},
                                 .size = static_cast<Bytes>(random() % 50),
                                 .alignment = Bytes{1} << (seed % 2 * (random() % 4))});
    }
    Meter meter{Limits()};
    Layout layout;
    ASSERT_TRUE(skyline_layout(problem, make_sections(problem), as_given(problem), kMaxBytes,
                               &meter, &layout));
    ASSERT_EQ(layout_error(problem, layout), "") << seed;
    for (BufferId b : problem.buffers.ids()) {
      const Buffer& buffer = problem.buffers[b];
      bool rests = layout.offsets[b] == 0;
      for (BufferId other : problem.buffers.ids())
        rests |= problem.buffers[other].lifetime.intersects(buffer.lifetime) &&
                 align_up(layout.offsets[other] + problem.buffers[other].size, buffer.alignment) ==
                     layout.offsets[b];
      if (buffer.takes_room()) {
        EXPECT_TRUE(rests) << seed << ' ' << b.index();
      }
    }
  }
}

}  // namespace
}  // namespace lowtide
