// The verifier of layouts on numbers of any size, against pairs of buffers compared step by step in
// 128 bits. On small numbers it is held against painted bytes: layout_request_test, banks_test.
#include "lowtide/verify/layout_verifier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "support/long_tests.h"

namespace lowtide {
namespace {

using ::testing::HasSubstr;
__extension__ using Wide = __int128;

constexpr Step kLast = kMaxBytes, kFirst = -kMaxBytes - 1;

// Numbers where sums go wrong, and small ones.
class Extremes {
 public:
  explicit Extremes(std::uint64_t seed) : engine_(seed) {}
  std::int64_t below(std::int64_t n) {
    return static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(n));
  }
  bool one_in(std::int64_t n) { return below(n) == 0; }
  Bytes bytes() {
    constexpr Bytes kFar[] = {kMaxBytes, kMaxBytes - 5, kMaxBytes / 2, kMaxBytes / 2 + 1};
    return one_in(3) ? kFar[below(4)] - below(3) : below(7);
  }
  Step step() { return one_in(5) ? (one_in(2) ? kFirst + below(3) : kLast - below(3)) : below(6); }

 private:
  std::mt19937_64 engine_;
};

LayoutRequest random_request(Extremes* random) {
  LayoutRequest request;
  const auto count = 1 + random->below(5);
  const auto any = [&] { return BufferId(static_cast<std::size_t>(random->below(count))); };
  for (Bytes i = 0; i < count; ++i) {
    Step times[] = {random->step(), random->step(), random->step(), random->step()};
    std::sort(std::begin(times), std::end(times));
    Buffer buffer{.lifetime = {times[0], times[3]}, .size = random->bytes()};
    if (random->one_in(4)) buffer.alignment = 1 + random->bytes() / 2;
    if (random->one_in(6)) buffer.fixed_offset = random->bytes();
    const BufferId b = request.problem.buffers.push_back(buffer);
    if (random->one_in(3)) {
      Gap gap{.buffer = b, .lifetime = {times[1], times[2]}};
      if (random->one_in(2)) {
        Bytes window[] = {std::min(random->bytes(), buffer.size),
                          std::min(random->bytes(), buffer.size)};
        gap.window = Window{std::min(window[0], window[1]), std::max(window[0], window[1])};
      }
      request.gaps.push_back(gap);
    }
  }
  if (random->one_in(2))
    request.ties.push_back({random->one_in(2) ? Tie::kAlias : Tie::kAdjacent, any(), any()});
  if (random->one_in(2)) request.may_reuse.push_back({any(), any()});
  if (random->one_in(4)) request.problem.capacity = random->bytes();
  return request;
}

Window held(const LayoutRequest& request, BufferId b, Step step) {
  const Buffer& buffer = request.problem.buffers[b];
  if (step < buffer.lifetime.lower || step >= buffer.lifetime.upper) return {0, 0};
  for (const Gap& gap : request.gaps)
    if (gap.buffer == b && gap.lifetime.lower <= step && step < gap.lifetime.upper)
      return gap.window.value_or(Window{0, 0});
  return {0, buffer.size};
}

// There is one tie at most, so aliases are the two of it.
bool may_share(const LayoutRequest& request, BufferId a, BufferId b, bool at_one_offset) {
  const auto are = [&](BufferId x, BufferId y) { return (x == a && y == b) || (x == b && y == a); };
  for (const Tie& tie : request.ties)
    if (tie.kind == Tie::kAlias && are(tie.first, tie.second)) return true;
  for (const MayReuse& pair : request.may_reuse)
    if (at_one_offset && are(pair.first, pair.second)) return true;
  return false;
}

// The height of a layout that is right; nothing if it is wrong, whatever its height.
std::optional<Wide> right_height(const LayoutRequest& request,
                                 const IdVector<BufferId, Bytes>& offsets) {
  const auto& buffers = request.problem.buffers;
  for (BufferId b : buffers.ids()) {
    const auto& fixed = buffers[b].fixed_offset;
    if (offsets[b] < 0) return std::nullopt;
    if (fixed ? offsets[b] != *fixed : offsets[b] % buffers[b].alignment != 0) return std::nullopt;
  }
  for (const auto& [kind, first, second] : request.ties) {
    const Wide distance = kind == Tie::kAlias ? 0 : buffers[first].size;
    if (Wide{offsets[second]} - offsets[first] != distance) return std::nullopt;
  }
  std::vector<Step> steps;  // what is held changes at these only
  for (const Buffer& buffer : buffers) steps.push_back(buffer.lifetime.lower);
  for (const Gap& gap : request.gaps) {
    steps.push_back(gap.lifetime.lower);
    steps.push_back(gap.lifetime.upper);
  }
  Wide height = 0;
  for (const Step step : steps)
    for (BufferId b : buffers.ids()) {
      const Window x = held(request, b, step);
      if (x.lower == x.upper) continue;
      height = std::max(height, Wide{offsets[b]} + buffers[b].size);
      for (BufferId a(0); a < b; ++a) {
        const Window y = held(request, a, step);
        const bool overlap = y.lower < y.upper &&
                             Wide{offsets[a]} + y.lower < Wide{offsets[b]} + x.upper &&
                             Wide{offsets[b]} + x.lower < Wide{offsets[a]} + y.upper;
        if (overlap && !may_share(request, a, b, offsets[a] == offsets[b])) return std::nullopt;
      }
    }
  return height;
}

TEST(LayoutVerifier, JudgesNumbersOfAnySize) {
  int right = 0, wrong = 0, beyond = 0;
  for (std::uint64_t seed = 0; seed < testing::cases(20'000, 1'000'000); ++seed) {
    Extremes random(seed);
    const LayoutRequest request = random_request(&random);
    Layout layout;
    for (const Buffer& buffer : request.problem.buffers) {
      Bytes offset = random.one_in(20) ? -random.bytes() - 1 : random.bytes();
      if (buffer.fixed_offset && !random.one_in(10)) offset = *buffer.fixed_offset;
      if (!random.one_in(10)) offset -= offset % buffer.alignment;
      layout.offsets.push_back(offset);
    }
    const auto height = right_height(request, layout.offsets);
    layout.height = height && *height <= kMaxBytes ? static_cast<Bytes>(*height) : random.bytes();
    if (random.one_in(10)) layout.height = random.one_in(2) ? -1 : random.bytes();
    const auto capacity = request.problem.capacity;
    const bool is_right =
        height && *height == layout.height && (!capacity || layout.height <= *capacity);
    ASSERT_EQ(layout_error(request, layout).empty(), is_right)
        << seed << ' ' << layout_error(request, layout);
    if (request.gaps.empty() && request.ties.empty() && request.may_reuse.empty()) {
      ASSERT_EQ(layout_error(request.problem, layout), layout_error(request, layout)) << seed;
    }
    ++(is_right ? right : wrong);
    beyond += height && *height > kMaxBytes;
  }
  EXPECT_GT(right, 500);
  EXPECT_GT(wrong, 500);
  EXPECT_GT(beyond, 100);
}

TEST(LayoutVerifier, NamesWhatIsBeyond) {
  LayoutProblem problem;
  problem.buffers.push_back({.lifetime = {0, 1}, .size = 5});
  EXPECT_THAT(layout_error(problem, {.offsets = {kMaxBytes}, .height = 5}), HasSubstr("height"));
  EXPECT_THAT(layout_error(problem, {.offsets = {kMaxBytes}, .height = kFirst + 4}),
              HasSubstr("height"));
  EXPECT_EQ(layout_error(problem, {.offsets = {kMaxBytes - 5}, .height = kMaxBytes}), "");
}

// 2 (2^63 - 1) is -2 in 64 bits.
TEST(LayoutVerifier, JudgesCostsOfAnySize) {
  BankProblem problem;
  problem.banks = {{"a", kMaxBytes, kMaxBytes}};
  problem.request.problem.buffers = {{.lifetime = {0, 1}, .size = 2}};
  problem.allowed = {1};
  BankLayout layout{.bank = {0}, .offsets = {0}, .heights = {2}, .cost = -2};
  EXPECT_THAT(layout_error(problem, layout), HasSubstr("cost"));
  layout.offsets = {kMaxBytes};
  layout.heights = {kFirst + 1};
  EXPECT_THAT(layout_error(problem, layout), HasSubstr("'a': the height"));
  problem.banks[0].cost_per_byte = kMaxBytes / 2;
  EXPECT_EQ(layout_error(problem, {{0}, {0}, {2}, kMaxBytes - 1}), "");
}

// Many aliases on one byte, some of which come and go: nobody else may have it meanwhile.
TEST(LayoutVerifier, FollowsManyHolders) {
  LayoutRequest request;
  for (Step i = 0; i < 50; ++i) {
    request.problem.buffers.push_back({.lifetime = {i, 100 - i}, .size = 1 + i % 7});
    if (i > 0)
      request.ties.push_back({Tie::kAlias, BufferId(0), BufferId(static_cast<std::size_t>(i))});
  }
  Layout layout{.offsets = {}, .height = 7};
  layout.offsets.assign(50, 0);
  EXPECT_EQ(layout_error(request, layout), "");
  request.problem.buffers.push_back({.lifetime = {93, 95}, .size = 1});
  layout.offsets.push_back(6);  // buffer 6, the last of seven bytes, ended at 94
  EXPECT_THAT(layout_error(request, layout), HasSubstr("buffer 6 and buffer 50 overlap"));
  request.problem.buffers[BufferId(50)].lifetime = {94, 95};
  EXPECT_EQ(layout_error(request, layout), "");
}

}  // namespace
}  // namespace lowtide
