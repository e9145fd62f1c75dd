// Requests with gaps, windows, aliases, neighbours and hints: solvers against brute force, the
// check against painted bytes, and MiniMalloc's own examples.
#include "lowtide/model/layout_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "lowtide/layout/explain.h"
#include "lowtide/layout/shapes.h"
#include "lowtide/layout/shapes/pair_search.h"
#include "lowtide/model/bodies.h"
#include "lowtide/model/excerpt.h"
#include "lowtide/model/holdings.h"
#include "lowtide/model/layout_bounds.h"
#include "lowtide/model/request_faults.h"
#include "lowtide/verify/layout_verifier.h"
#include "support/brute_force.h"
#include "support/long_tests.h"

namespace lowtide {
namespace {

using ::testing::HasSubstr;

constexpr Bytes kHighest = 20;
constexpr std::int64_t kSteps = 2'000'000;

const LayoutSolver& solver(const char* name) { return *find_layout_solver(name); }

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  std::int64_t below(std::int64_t n) {
    return static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(n));
  }
  bool one_in(std::int64_t n) { return below(n) == 0; }

 private:
  std::mt19937_64 engine_;
};

Gap random_gap(BufferId b, const Buffer& buffer, Step from, Random* random) {
  Gap gap{.buffer = b, .lifetime = {from, from + random->below(3)}};
  if (random->one_in(2)) {
    const Bytes lower = random->below(buffer.size + 1);
    gap.window = Window{lower, lower + random->below(buffer.size - lower + 1)};
  }
  return gap;
}

// Up to 5 buffers with everything mixed; may have faults.
LayoutRequest random_request(std::uint64_t seed) {
  Random random(seed);
  LayoutRequest request;
  const auto count = static_cast<std::size_t>(1 + random.below(5));
  for (std::size_t i = 0; i < count; ++i) {
    const Step lower = random.below(6);
    Buffer buffer{.lifetime = {lower, lower + random.below(6)}, .size = random.below(5)};
    if (random.one_in(4)) buffer.alignment = 1 + random.below(3);
    if (random.one_in(10)) buffer.fixed_offset = random.below(6);
    const BufferId b = request.problem.buffers.push_back(buffer);
    Step from = lower;
    while (random.one_in(2)) {
      request.gaps.push_back(random_gap(b, buffer, from + random.below(3), &random));
      from = request.gaps.back().lifetime.upper;
    }
    if (random.one_in(10)) request.hints.push_back({b, random.below(8)});
  }
  const auto any_buffer = [&] {
    return BufferId(static_cast<std::size_t>(random.below(static_cast<std::int64_t>(count))));
  };
  while (count > 1 && random.one_in(2))
    request.ties.push_back(
        {random.one_in(2) ? Tie::kAlias : Tie::kAdjacent, any_buffer(), any_buffer()});
  return request;
}

// The same with permissions; mostly fewer ties, so that there is something to choose.
LayoutRequest random_sharing(std::uint64_t seed) {
  LayoutRequest request = random_request(seed);
  Random random(seed + 1'000'000);
  if (!random.one_in(3)) request.ties.clear();
  if (!random.one_in(3)) request.gaps.clear();
  const auto count = static_cast<std::int64_t>(request.problem.buffers.size());
  for (std::int64_t k = count > 1 ? 1 + random.below(4) : 0; k > 0; --k) {
    const std::int64_t first = random.below(count);
    const std::int64_t second = (first + 1 + random.below(count - 1)) % count;
    request.may_reuse.push_back(
        {BufferId(static_cast<std::size_t>(first)), BufferId(static_cast<std::size_t>(second))});
  }
  return request;
}

void expect_optimum(const LayoutRequest& request, const char* name, Bytes optimum,
                    std::uint64_t seed) {
  const auto solution = solve_request(request, solver(name), Limits::within_steps(kSteps));
  if (optimum == kMaxBytes) {
    ASSERT_FALSE(solution.has_value()) << seed << ' ' << name;
    if (solver(name).exact || request.may_reuse.empty()) {
      ASSERT_EQ(solution.status(), Status::kInfeasible) << seed << ' ' << name;
    }
    return;
  }
  ASSERT_TRUE(solution.has_value()) << seed << ' ' << name;
  ASSERT_EQ(layout_error(request, solution.best()), "") << seed << ' ' << name;
  ASSERT_TRUE(testing::is_right(request, solution.best().offsets)) << seed << ' ' << name;
  ASSERT_LE(solution.bound(), optimum) << seed << ' ' << name;
  ASSERT_GE(solution.value(), optimum) << seed << ' ' << name;
  if (!solver(name).exact) return;
  ASSERT_EQ(solution.value(), optimum) << seed;
  ASSERT_EQ(solution.status(), Status::kOptimal) << seed;
}

void expect_verdict(const LayoutRequest& request, const char* name, Bytes optimum,
                    std::uint64_t seed) {
  const Bytes capacity = *request.problem.capacity;
  const auto within = solve_request(request, solver(name), Limits::within_steps(kSteps));
  if (within.has_value()) {
    ASSERT_EQ(layout_error(request, within.best()), "") << seed << ' ' << name;
  }
  if (solver(name).exact) {
    ASSERT_EQ(within.has_value(), capacity >= optimum) << seed << ' ' << capacity;
  }
  if (solver(name).exact || within.status() == Status::kInfeasible) {
    ASSERT_EQ(within.status() == Status::kInfeasible, capacity < optimum) << seed;
  }
}

void expect_brute_force(LayoutRequest request, std::uint64_t seed) {
  const Bytes optimum = testing::optimal_height(request, kHighest);
  if (const auto fault = find_fault(request)) {
    ASSERT_EQ(optimum, kMaxBytes) << seed << ' ' << fault->reason;
    return;
  }
  for (const char* name : {"auto", "greedy_by_size"}) {
    request.problem.capacity.reset();
    ASSERT_NO_FATAL_FAILURE(expect_optimum(request, name, optimum, seed));
    if (optimum == kMaxBytes) continue;
    for (const Bytes capacity : {optimum - 1, optimum, optimum + 2}) {
      request.problem.capacity = capacity;
      ASSERT_NO_FATAL_FAILURE(expect_verdict(request, name, optimum, seed));
    }
  }
}

TEST(LayoutRequests, AgreeWithBruteForce) {
  int shaped = 0, above_load = 0;
  for (std::uint64_t seed = 0; seed < testing::cases(3000, 100'000); ++seed) {
    const LayoutRequest request = random_request(seed);
    ASSERT_NO_FATAL_FAILURE(expect_brute_force(request, seed));
    if (find_fault(request)) continue;
    const Bytes optimum = testing::optimal_height(request, kHighest);
    shaped += request.is_plain() ? 0 : 1;
    above_load += optimum != kMaxBytes && lower_bound(make_bodies(request).problem) < optimum;
  }
  EXPECT_GT(shaped, 300);
  EXPECT_GT(above_load, 10);
}

// And permissions make a difference: less than without them, more than as many aliases.
TEST(LayoutRequests, WithPermissionsAgreeWithBruteForce) {
  int lower = 0, not_all_taken = 0;
  for (std::uint64_t seed = 0; seed < testing::cases(3000, 100'000); ++seed) {
    const LayoutRequest request = random_sharing(seed);
    ASSERT_NO_FATAL_FAILURE(expect_brute_force(request, seed));
    if (find_fault(request)) continue;
    const Bytes optimum = testing::optimal_height(request, kHighest);
    LayoutRequest apart = request, aliased = request;
    apart.may_reuse.clear();
    aliased.may_reuse.clear();
    for (const auto& [first, second] : request.may_reuse)
      aliased.ties.push_back({Tie::kAlias, first, second});
    lower += optimum < testing::optimal_height(apart, kHighest);
    not_all_taken += optimum < testing::optimal_height(aliased, kHighest);
  }
  EXPECT_GT(lower, 300);
  EXPECT_GT(not_all_taken, 100);
}

// The pairs alone decide every height, so that no bound from elsewhere covers up for them.
TEST(PairSearch, DecidesEveryHeight) {
  for (std::uint64_t seed = 0; seed < testing::cases(3000, 100'000); ++seed) {
    const LayoutRequest request = random_request(seed);
    if (find_fault(request)) continue;
    const Bytes optimum = testing::optimal_height(request, kHighest);
    const Bodies bodies = make_bodies(request);
    PairSearch search(bodies.problem);
    for (Bytes capacity = 0; capacity <= 12; ++capacity) {
      Meter meter{Limits()};
      const Outcome outcome = search.run(capacity, &meter);
      ASSERT_EQ(outcome, capacity >= optimum ? Outcome::kFound : Outcome::kExhausted)
          << seed << ' ' << capacity;
      if (outcome == Outcome::kFound) {
        ASSERT_TRUE(testing::is_right(request, lift_offsets(bodies, search.offsets()))) << seed;
      }
    }
  }
}

// Offsets that may be right or wrong, judged by the checker and by painting bytes.
class Judged {
 public:
  void judge(const LayoutRequest& request, Layout layout, std::uint64_t seed) {
    layout.height = 0;
    for (BufferId b : layout.offsets.ids())
      if (!parts_of(request)[b].empty())
        layout.height =
            std::max(layout.height, layout.offsets[b] + request.problem.buffers[b].size);
    const bool is_right = testing::is_right(request, layout.offsets);
    ++(is_right ? right_ : wrong_);
    ASSERT_EQ(layout_error(request, layout).empty(), is_right)
        << seed << ' ' << layout_error(request, layout);
  }
  void expect_many_of_both() const {
    EXPECT_GT(right_, 200);
    EXPECT_GT(wrong_, 200);
  }

 private:
  int right_ = 0, wrong_ = 0;
};

TEST(LayoutVerifier, AgreesWithPaintedBytes) {
  Judged judged;
  for (std::uint64_t seed = 0; seed < testing::cases(5000, 100'000); ++seed) {
    const LayoutRequest request = random_request(seed);
    if (find_fault(request)) continue;
    auto solution = solve_request(request, solver("greedy_by_size"), Limits::within_steps(kSteps));
    if (!solution.has_value()) continue;
    Random random(seed + 1);
    Layout layout = solution.best();
    for (BufferId b : layout.offsets.ids())
      if (random.one_in(4)) layout.offsets[b] = random.below(8);
    ASSERT_NO_FATAL_FAILURE(judged.judge(request, layout, seed));
  }
  judged.expect_many_of_both();
}

TEST(LayoutVerifier, AgreesWithPaintedBytesOnPermissions) {
  Judged judged;
  for (std::uint64_t seed = 0; seed < testing::cases(5000, 100'000); ++seed) {
    const LayoutRequest request = random_sharing(seed);
    if (find_fault(request)) continue;
    Random random(seed + 1);
    Layout layout;
    for (const Buffer& buffer : request.problem.buffers)
      layout.offsets.push_back(buffer.fixed_offset.value_or(random.below(4)));
    ASSERT_NO_FATAL_FAILURE(judged.judge(request, layout, seed));
  }
  judged.expect_many_of_both();
}

// One corruption per kind of error.
TEST(LayoutVerifier, CatchesEveryKind) {
  LayoutRequest request;
  request.problem.buffers.push_back({.lifetime = {0, 9}, .size = 4});
  request.problem.buffers.push_back({.lifetime = {3, 5}, .size = 4, .alignment = 2});
  request.problem.buffers.push_back({.lifetime = {4, 9}, .size = 2, .fixed_offset = 4});
  request.problem.buffers.push_back({.lifetime = {0, 3}, .size = 3});
  request.problem.buffers.push_back({.lifetime = {0, 3}, .size = 5});
  request.gaps = {{BufferId(0), {3, 5}, Window{0, 0}}, {BufferId(2), {4, 5}}};
  request.ties = {{Tie::kAdjacent, BufferId(0), BufferId(3)},
                  {Tie::kAlias, BufferId(3), BufferId(4)}};
  const Layout right{.offsets = {0, 2, 4, 4, 4}, .height = 9};
  ASSERT_FALSE(find_fault(request));
  EXPECT_EQ(layout_error(request, right), "");
  const auto error_of = [&](auto spoil) {
    Layout layout = right;
    spoil(layout);
    return layout_error(request, layout);
  };
  EXPECT_THAT(error_of([](Layout& l) { l.offsets[BufferId(1)] = 3; }), HasSubstr("misaligned"));
  EXPECT_THAT(error_of([](Layout& l) { l.offsets[BufferId(1)] = -2; }), HasSubstr("negative"));
  EXPECT_THAT(error_of([](Layout& l) { l.offsets[BufferId(2)] = 5; }), HasSubstr("fixed"));
  EXPECT_THAT(error_of([](Layout& l) { l.offsets[BufferId(4)] = 5; }),
              HasSubstr("share an offset"));
  EXPECT_THAT(error_of([](Layout& l) { l.offsets[BufferId(0)] = 1; }), HasSubstr("adjacent"));
  EXPECT_THAT(error_of([](Layout& l) { l.height = 8; }), HasSubstr("height"));
  EXPECT_THAT(error_of([](Layout& l) { l.offsets.resize(3); }), HasSubstr("not every buffer"));
  request.gaps.pop_back();  // now buffer 2 holds its bytes next to buffer 1
  EXPECT_THAT(layout_error(request, right), HasSubstr("overlap"));
  request.problem.capacity = 8;
  request.gaps.push_back({BufferId(2), {4, 5}});
  EXPECT_THAT(layout_error(request, right), HasSubstr("capacity"));
}

Buffer buffer(Step lower, Step upper, Bytes size) {
  return {.lifetime = {lower, upper}, .size = size};
}

// MiniMalloc's own test instances of gaps (tests/validator_test.cc), at their capacities.
TEST(LayoutRequests, SolveMiniMallocsExamples) {
  LayoutRequest gaps;
  gaps.problem = {.buffers = {buffer(0, 10, 2), buffer(5, 15, 2)}, .capacity = 2};
  gaps.gaps = {{BufferId(0), {1, 7}}, {BufferId(1), {8, 14}}};
  EXPECT_EQ(solve_request(gaps, solver("auto"), Limits()).status(), Status::kInfeasible);
  gaps.gaps = {{BufferId(0), {1, 8}}, {BufferId(1), {8, 14}}};
  EXPECT_EQ(solve_request(gaps, solver("auto"), Limits()).value(), 2);
  gaps.gaps = {{BufferId(0), {1, 9}}, {BufferId(1), {6, 14}}};
  EXPECT_EQ(solve_request(gaps, solver("auto"), Limits()).value(), 2);

  LayoutRequest tetris;
  tetris.problem = {.buffers = {buffer(0, 10, 2), buffer(0, 10, 2)}, .capacity = 3};
  tetris.gaps = {{BufferId(0), {0, 5}, Window{0, 1}}, {BufferId(1), {5, 10}, Window{1, 2}}};
  EXPECT_EQ(solve_request(tetris, solver("auto"), Limits()).value(), 3);

  LayoutRequest stairs;
  stairs.problem = {.buffers = {buffer(0, 108, 30), buffer(36, 144, 50), buffer(84, 144, 42),
                                buffer(84, 129, 42), buffer(99, 144, 70), buffer(0, 144, 30)},
                    .capacity = {}};
  const auto gap = [&](std::size_t b, Step lower, Step upper, Bytes from, Bytes to) {
    stairs.gaps.push_back({BufferId(b), {lower, upper}, Window{from, to}});
  };
  gap(0, 36, 72, 10, 30), gap(0, 72, 108, 20, 30);
  gap(1, 36, 72, 20, 30), gap(1, 72, 108, 10, 40);
  gap(2, 114, 129, 0, 28), gap(2, 129, 144, 0, 14);
  gap(3, 99, 114, 14, 42), gap(3, 114, 129, 28, 42);
  gap(4, 99, 114, 28, 42), gap(4, 114, 129, 14, 56);
  gap(5, 72, 108, 0, 20), gap(5, 108, 144, 0, 10);
  const auto solution = solve_request(stairs, solver("auto"), Limits::within_steps(kSteps));
  EXPECT_EQ(solution.value(), 144);
  EXPECT_EQ(solution.status(), Status::kOptimal);
  EXPECT_EQ(layout_error(stairs, solution.best()), "");
}

// What MiniMalloc's validator asks of two buffers (src/minimalloc.cc, effective_size): while both
// hold something, one is above the other by as much as they need where they come closest.
bool one_is_above(const LayoutRequest& request, BufferId a, BufferId b,
                  const IdVector<BufferId, Bytes>& offsets) {
  const auto parts = parts_of(request);
  bool meet = false;
  Bytes a_below = -kMaxBytes, b_below = -kMaxBytes;  // how far up the other must be
  for (const ShapePart& x : parts[a])
    for (const ShapePart& y : parts[b]) {
      if (!x.lifetime.intersects(y.lifetime)) continue;
      meet = true;
      a_below = std::max(a_below, x.upper - y.lower);
      b_below = std::max(b_below, y.upper - x.lower);
    }
  return !meet || offsets[a] + a_below <= offsets[b] || offsets[b] + b_below <= offsets[a];
}

bool minimalloc_agrees(const LayoutRequest& request, const IdVector<BufferId, Bytes>& offsets) {
  for (BufferId b : offsets.ids())
    for (BufferId a(0); a < b; ++a)
      if (!one_is_above(request, a, b, offsets)) return false;
  return true;
}

// Without windows our rule is MiniMalloc's; with them, what is right there is right here.
TEST(LayoutRequests, MeanWhatMiniMallocsValidatorMeans) {
  int right = 0, wrong = 0;
  for (std::uint64_t seed = 0; seed < testing::cases(5000, 100'000); ++seed) {
    LayoutRequest request = random_request(seed);
    request.ties.clear();
    const bool has_windows = seed % 2 == 0;
    if (!has_windows)
      for (Gap& gap : request.gaps) gap.window.reset();
    if (find_fault(request)) continue;
    Random random(seed + 1);
    Layout layout;
    for (const Buffer& buffer : request.problem.buffers)
      layout.offsets.push_back(
          buffer.fixed_offset.value_or(buffer.alignment * random.below(1 + 8 / buffer.alignment)));
    for (BufferId b : layout.offsets.ids())
      if (!parts_of(request)[b].empty())
        layout.height =
            std::max(layout.height, layout.offsets[b] + request.problem.buffers[b].size);
    const bool here = layout_error(request, layout).empty();
    const bool there = minimalloc_agrees(request, layout.offsets);
    ++(there ? right : wrong);
    ASSERT_TRUE(here || !there) << seed;
    if (!has_windows) {
      ASSERT_EQ(here, there) << seed;
    }
  }
  EXPECT_GT(right, 300);
  EXPECT_GT(wrong, 300);
  // Above at one time and below at another: no byte is held twice, but neither is above throughout.
  LayoutRequest crossing;
  crossing.problem.buffers = {buffer(0, 2, 4), buffer(0, 2, 4)};
  crossing.gaps = {{BufferId(0), {0, 1}, Window{0, 1}},
                   {BufferId(0), {1, 2}, Window{3, 4}},
                   {BufferId(1), {0, 1}, Window{2, 4}},
                   {BufferId(1), {1, 2}, Window{0, 2}}};
  const Layout layout{.offsets = {0, 0}, .height = 4};
  EXPECT_EQ(layout_error(crossing, layout), "");
  EXPECT_FALSE(minimalloc_agrees(crossing, layout.offsets));
}

// A hint that is as good as anything is kept.
TEST(LayoutRequests, TakeHints) {
  LayoutRequest request;
  request.problem.buffers = {buffer(0, 4, 2), buffer(0, 4, 3), buffer(0, 4, 1)};
  request.hints = {{BufferId(0), 4}, {BufferId(1), 1}, {BufferId(2), 0}};
  EXPECT_EQ(solve_request(request, solver("auto"), Limits()).best().offsets,
            (IdVector<BufferId, Bytes>{4, 1, 0}));
  request.hints = {{BufferId(0), 5}, {BufferId(1), 1}, {BufferId(2), 0}};  // 7 is not the best
  EXPECT_EQ(solve_request(request, solver("auto"), Limits()).value(), 6);
}

// The buffers of a conflict can't be placed together.
TEST(LayoutRequests, ConflictsAreTrue) {
  int by_search = 0;
  for (std::uint64_t seed = 0; seed < testing::cases(1000, 30'000); ++seed) {
    LayoutRequest request = random_request(seed);
    if (find_fault(request)) continue;
    const Bytes optimum = testing::optimal_height(request, kHighest);
    if (optimum == 0) continue;
    request.problem.capacity = optimum == kMaxBytes ? kHighest : optimum - 1;
    const Conflict conflict = explain_conflict(request, Limits());
    const auto fits_without = [&](BufferId left_out) {
      std::vector<BufferId> kept;
      for (BufferId b : conflict.buffers)
        if (b != left_out) kept.push_back(b);
      return testing::optimal_height(excerpt(request, kept), kHighest) <= request.problem.capacity;
    };
    ASSERT_FALSE(fits_without(BufferId::none())) << seed;
    by_search += conflict.step ? 0 : 1;
    ASSERT_TRUE(conflict.step || conflict.irreducible) << seed;
    if (!conflict.irreducible) continue;
    for (BufferId b : conflict.buffers) ASSERT_TRUE(fits_without(b)) << seed;
  }
  EXPECT_GT(by_search, 100);
}

TEST(LayoutRequests, FaultsAreNamed) {
  const auto fault_of = [](auto spoil) -> std::string {
    LayoutRequest request;
    request.problem.buffers = {buffer(0, 4, 2), buffer(0, 4, 3), buffer(2, 8, 1)};
    spoil(request);
    const auto fault = find_fault(request);
    return fault ? std::to_string(fault->buffer.index()) + " " + fault->reason : "none";
  };
  const BufferId a(0), b(1), c(2);
  EXPECT_EQ(fault_of([](LayoutRequest&) {}), "none");
  EXPECT_THAT(fault_of([&](LayoutRequest& r) { r.gaps = {{b, {3, 1}}}; }), HasSubstr("1 a gap"));
  EXPECT_THAT(fault_of([&](LayoutRequest& r) {
                r.gaps = {{b, {0, 2}}, {b, {1, 3}}};
              }),
              HasSubstr("gaps overlap"));
  EXPECT_THAT(fault_of([&](LayoutRequest& r) {
                r.gaps = {{b, {0, 2}, Window{0, 4}}};
              }),
              HasSubstr("window"));
  EXPECT_THAT(fault_of([&](LayoutRequest& r) { r.hints = {{b, -2}}; }), HasSubstr("hint"));
  EXPECT_THAT(fault_of([&](LayoutRequest& r) {
                r.ties = {{Tie::kAdjacent, a, b}, {Tie::kAdjacent, b, a}};
              }),
              HasSubstr("neighbours want"));
  EXPECT_THAT(fault_of([&](LayoutRequest& r) {
                r.problem.buffers[a].fixed_offset = 3;
                r.problem.buffers[b].fixed_offset = 4;
                r.ties = {{Tie::kAdjacent, a, b}};
              }),
              HasSubstr("fixed offset"));
  EXPECT_THAT(fault_of([&](LayoutRequest& r) {
                r.problem.buffers[a].alignment = 4;
                r.problem.buffers[b].alignment = 4;
                r.ties = {{Tie::kAdjacent, a, b}};
              }),
              HasSubstr("aligned"));
  EXPECT_THAT(fault_of([&](LayoutRequest& r) {
                r.ties = {{Tie::kAlias, a, b}, {Tie::kAdjacent, a, c}};
              }),
              HasSubstr("overlap"));
}

TEST(LayoutRequests, AnswerWithoutTime) {
  LayoutRequest request;
  for (std::size_t i = 0; i < 800; ++i) {
    const Step start = static_cast<Step>(i);
    request.problem.buffers.push_back(buffer(start, start + 60, 1 + static_cast<Bytes>(i % 13)));
    if (i % 3 == 0) request.gaps.push_back({BufferId(i), {start + 5, start + 40}});
    if (i % 7 == 1) request.ties.push_back({Tie::kAdjacent, BufferId(i - 1), BufferId(i)});
  }
  for (const std::int64_t steps : {0, 1000, 20'000}) {
    const auto solution = solve_request(request, solver("auto"), Limits::within_steps(steps));
    ASSERT_TRUE(solution.has_value());
    EXPECT_EQ(layout_error(request, solution.best()), "") << steps;
    EXPECT_EQ(solve_request(request, solver("auto"), Limits::within_steps(steps)).best().offsets,
              solution.best().offsets);
  }
}

}  // namespace
}  // namespace lowtide
