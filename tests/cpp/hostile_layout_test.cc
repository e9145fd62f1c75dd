// Requests whose numbers are as large as they may be, or larger: what find_fault lets through,
// every solver places, whatever the capacity, and the verifier finds it right. Under UBSan (`make
// sanitize`) this shows that no sum overflows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>

#include "lowtide/base/room.h"
#include "lowtide/graph/error.h"
#include "lowtide/layout/banks.h"
#include "lowtide/layout/banks/bank_conflict.h"
#include "lowtide/layout/explain.h"
#include "lowtide/layout/layout_planner.h"
#include "lowtide/layout/shapes.h"
#include "lowtide/model/request_faults.h"
#include "lowtide/verify/layout_verifier.h"
#include "support/long_tests.h"

namespace lowtide {
namespace {

constexpr Step kFirst = std::numeric_limits<Step>::min(), kLast = std::numeric_limits<Step>::max();

class Numbers {
 public:
  // Sizes of about `share` of all the room there is.
  Numbers(std::uint64_t seed, Bytes share) : engine_(seed), share_(share) {}

  std::int64_t below(std::int64_t n) {
    return static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(n));
  }
  bool one_in(std::int64_t n) { return below(n) == 0; }

  Bytes size() { return one_in(4) ? below(9) : share_ / (1 + below(6)) - below(3); }
  // Rarely more than is allowed.
  Bytes offset() {
    if (one_in(30)) return kLast - below(9);
    return one_in(2) ? kMaxRoom - below(9) : size();
  }
  Bytes alignment() {
    if (one_in(2)) return 1;
    return one_in(3) ? 1 + size() : Bytes{1} << below(std::bit_width(Bits(share_)));
  }
  Interval lifetime() {
    Step from = below(9), until = from + below(7);
    if (one_in(8)) from = kFirst + below(4);
    if (one_in(8)) until = kLast - below(4);
    return {from, until};
  }

 private:
  using Bits = std::uint64_t;
  std::mt19937_64 engine_;
  Bytes share_;
};

LayoutRequest random_request(Numbers* random, std::int64_t count) {
  LayoutRequest request;
  const auto any = [&] { return BufferId(static_cast<std::size_t>(random->below(count))); };
  for (std::int64_t i = 0; i < count; ++i) {
    Buffer buffer{
        .lifetime = random->lifetime(), .size = random->size(), .alignment = random->alignment()};
    if (random->one_in(8)) buffer.fixed_offset = random->offset();
    const BufferId b = request.problem.buffers.push_back(buffer);
    if (random->one_in(4)) request.hints.push_back({b, random->offset()});
    if (random->one_in(3)) {
      Gap gap{.buffer = b, .lifetime = random->lifetime()};
      if (random->one_in(2)) {
        const Bytes lower = std::min(buffer.size, random->size());
        gap.window = Window{lower, std::max(lower, buffer.size - random->below(4))};
      }
      request.gaps.push_back(gap);
    }
  }
  if (random->one_in(2)) request.ties.push_back({Tie::kAlias, any(), any()});
  if (random->one_in(2)) request.ties.push_back({Tie::kAdjacent, any(), any()});
  if (random->one_in(4)) request.may_reuse.push_back({any(), any()});
  return request;
}

// Placed, or not at all; both as the status says.
void solve_with(const LayoutSolver& solver, LayoutRequest* request, std::uint64_t seed) {
  const Limits limits = Limits::within_steps(300);
  Bytes height = kMaxRoom;
  for (const std::optional<Bytes> capacity :
       {std::optional<Bytes>(), {kLast}, {0}, {kFirst}, {-1}}) {
    request->problem.capacity = capacity;
    if (capacity == -1) request->problem.capacity = height - 1;
    auto solution = solve_request(*request, solver, limits);
    if (solution.has_value()) {
      height = solution.value();
      ASSERT_EQ(layout_error(*request, solution.best()), "") << seed << ' ' << solver.name;
      ASSERT_EQ(height, solution.best().height) << seed << ' ' << solver.name;
    }
    if (capacity && solution.status() == Status::kInfeasible && request->may_reuse.empty()) {
      ASSERT_FALSE(explain_conflict(*request, limits).buffers.empty() && *capacity >= 0) << seed;
    }
  }
}

TEST(HostileLayouts, AreRefusedOrPlaced) {
  int refused = 0, placed = 0;
  for (std::uint64_t seed = 0; seed < testing::cases(20'000, 300'000); ++seed) {
    constexpr Bytes kShares[] = {kMaxRoom, kMaxRoom / 4, kMaxRoom / 16, 5};
    Numbers random(seed, kShares[seed % 4]);
    LayoutRequest request = random_request(&random, 1 + random.below(7));
    if (find_fault(request)) {
      ++refused;
      continue;
    }
    ++placed;
    const auto solvers = layout_solvers();
    ASSERT_NO_FATAL_FAILURE(solve_with(*find_layout_solver("auto"), &request, seed));
    const LayoutSolver& other = solvers[seed / 4 % solvers.size()];
    if (other.needs_highs && seed % 20 != 0) continue;
    ASSERT_NO_FATAL_FAILURE(solve_with(other, &request, seed));
  }
  EXPECT_GT(refused, 3000);
  EXPECT_GT(placed, 3000);
}

TEST(HostileLayouts, AreRefusedOrPlacedInBanks) {
  int refused = 0, placed = 0;
  for (std::uint64_t seed = 0; seed < testing::cases(10'000, 100'000); ++seed) {
    constexpr Bytes kShares[] = {kMaxRoom / 4, kMaxRoom / 16, 100'000, 5};
    Numbers random(seed, kShares[seed % 4]);
    BankProblem problem;
    problem.request = random_request(&random, 1 + random.below(6));
    const auto num_banks = 1 + random.below(3);
    for (std::int64_t k = 0; k < num_banks; ++k)
      problem.banks.push_back(
          {.name = std::to_string(k),
           .size = random.one_in(3) ? Bank::kMaxSize : random.offset(),
           .cost_per_byte = random.one_in(5) ? random.offset() : random.below(1 << (5 * k))});
    for (std::size_t b = 0; b < problem.request.problem.buffers.size(); ++b)
      problem.allowed.push_back(random.one_in(3) ? 1 : problem.all_banks());
    if (find_fault(problem.request) || !bank_fault(problem).empty()) {
      ++refused;
      continue;
    }
    ++placed;
    const Limits limits = Limits::within_steps(20'000);
    const auto solution = solve_banks(problem, *find_layout_solver("auto"), limits);
    if (solution.has_value()) {
      ASSERT_EQ(layout_error(problem, solution.best()), "") << seed;
    } else if (solution.status() == Status::kInfeasible) {
      ASSERT_FALSE(explain_banks(problem, limits).buffers.empty()) << seed;
    }
  }
  EXPECT_GT(refused, 1000);
  EXPECT_GT(placed, 1000);
}

// More than a search takes: tiers, dives that learn, the squeeze.
TEST(HostileLayouts, ArePlacedByTheThousand) {
  constexpr std::int64_t kCount = 5'200;
  for (std::uint64_t seed = 0; seed < testing::cases(2, 40); ++seed) {
    Numbers random(seed, kMaxRoom / kCount / 2);
    LayoutRequest request;
    for (std::int64_t i = 0; i < kCount; ++i) {
      const Step from = random.below(kCount), until = from + 1 + random.below(kCount / 20);
      const bool is_odd = random.one_in(kCount / 8);
      request.problem.buffers.push_back(
          {.lifetime = is_odd ? random.lifetime() : Interval{from, until},
           .size = random.size(),
           .alignment = seed % 2 == 0 || random.one_in(3) ? 1 : random.alignment()});
    }
    ASSERT_FALSE(find_fault(request));
    for (const char* name : {"auto", "tiers", "skyline"}) {
      const auto solution =
          solve_request(request, *find_layout_solver(name), Limits::within_steps(3 * kCount));
      ASSERT_EQ(layout_error(request, solution.best()), "") << seed << ' ' << name;
    }
  }
}

TEST(HostileLayouts, AreRefusedOrPlacedBySpans) {
  LayoutPlanner planner;
  int refused = 0, placed = 0;
  for (std::uint64_t seed = 0; seed < testing::cases(20'000, 300'000); ++seed) {
    constexpr Bytes kShares[] = {kMaxRoom, kMaxRoom / 4, kMaxRoom / 16, 5};
    Numbers random(seed, kShares[seed % 4]);
    const LayoutProblem problem = random_request(&random, 1 + random.below(7)).problem;
    if (std::any_of(problem.buffers.begin(), problem.buffers.end(), [](const Buffer& buffer) {
          return buffer.fixed_offset.value_or(0) < kMaxRoom / 2 && buffer.fixed_offset;
        }))
      continue;  // these may collide
    std::vector<Bytes> offsets(problem.buffers.size(), -7);
    if (find_fault(problem.buffers.raw())) {
      EXPECT_THROW(planner.place(problem.buffers.raw(), offsets), InputError) << seed;
      EXPECT_EQ(offsets, std::vector<Bytes>(problem.buffers.size(), -7)) << seed;
      ++refused;
      continue;
    }
    const auto fixed = std::count_if(problem.buffers.begin(), problem.buffers.end(),
                                     [](const Buffer& b) { return b.fixed_offset.has_value(); });
    if (fixed > 1) continue;
    const auto [height, bound] = planner.place(problem.buffers.raw(), offsets);
    ++placed;
    ASSERT_EQ(layout_error(problem, {IdVector<BufferId, Bytes>(offsets), height}), "") << seed;
    ASSERT_LE(bound, height) << seed;
  }
  EXPECT_GT(refused, 3000);
  EXPECT_GT(placed, 3000);
}

TEST(HostileLayouts, AreRefusedForAReason) {
  const auto reason_for = [](LayoutRequest request) -> std::string {
    const auto fault = find_fault(request);
    return fault ? std::to_string(fault->buffer.index()) + ": " + fault->reason : "accepted";
  };
  const auto buffers = [](std::initializer_list<Buffer> all) {
    LayoutRequest request;
    request.problem.buffers = all;
    return request;
  };
  const Buffer plain{.lifetime = {0, 1}, .size = 5};
  LayoutRequest hinted = buffers({plain, plain});
  hinted.hints = {{BufferId(1), kLast}};
  EXPECT_EQ(reason_for(hinted), "1: hint exceeds 2^60 - 1");
  hinted.hints = {{BufferId(1), kMaxRoom}};
  EXPECT_EQ(reason_for(hinted), "accepted");
  EXPECT_EQ(reason_for(buffers({{.lifetime = {0, 1}, .size = 5, .fixed_offset = kLast}})),
            "0: offset exceeds 2^60 - 1");
  const std::string sum = "the sum of all sizes and alignments exceeds 2^60 - 1";
  EXPECT_EQ(reason_for(buffers({plain, {.lifetime = {0, 1}, .size = kLast}})), "1: " + sum);
  EXPECT_EQ(reason_for(buffers({plain, {.lifetime = {0, 1}, .size = kMaxRoom}, plain})),
            "1: " + sum);
  EXPECT_EQ(reason_for(buffers({{.lifetime = {0, 1}, .size = 5, .alignment = kLast}, plain})),
            "0: " + sum);
  EXPECT_EQ(reason_for(buffers({{.lifetime = {0, 1}, .size = kMaxRoom - 1}})), "accepted");
  LayoutRequest group = buffers({{.lifetime = {0, 1}, .size = 5, .alignment = (1 << 30) - 1},
                                 {.lifetime = {0, 1}, .size = 5, .alignment = 1 << 30}});
  group.ties = {{Tie::kAlias, BufferId(0), BufferId(1)}};
  EXPECT_EQ(reason_for(group), "0: can't be aligned as a group within 2^60 - 1 bytes");
}

// Parts apart are beyond all numbers where the shapes are not: D is tied to many that come and go
// on top of it, so that what the two hold together changes all the time.
TEST(HostileLayouts, OfManyPartsArePlaced) {
  LayoutRequest request;
  request.problem.buffers.push_back({.lifetime = {0, 400}, .size = kMaxRoom / 8});
  for (Step i = 0; i < 200; ++i) {
    const BufferId b =
        request.problem.buffers.push_back({.lifetime = {2 * i, 2 * i + 1}, .size = 9});
    request.ties.push_back({Tie::kAdjacent, BufferId(0), b});
  }
  request.problem.buffers.push_back({.lifetime = {0, 400}, .size = kMaxRoom / 8});
  ASSERT_FALSE(find_fault(request));
  const auto solution =
      solve_request(request, *find_layout_solver("auto"), Limits::within_steps(50'000));
  EXPECT_EQ(layout_error(request, solution.best()), "");
  EXPECT_EQ(solution.value(), kMaxRoom / 8 * 2 + 9);
}

}  // namespace
}  // namespace lowtide
