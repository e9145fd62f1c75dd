// The planner for repeated use: right, and without a single allocation once it is warm.
#include "lowtide/layout/layout_planner.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <random>

#include "lowtide/model/layout_bounds.h"
#include "lowtide/verify/layout_verifier.h"

namespace {
std::atomic<int> allocations = 0;
}

// NOLINTBEGIN: every allocation of this program is counted.
void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
// NOLINTEND

namespace lowtide {
namespace {

std::vector<Buffer> random_buffers(std::uint64_t seed, std::size_t count) {
  std::mt19937_64 random(seed);
  std::vector<Buffer> buffers;
  for (std::size_t i = 0; i < count; ++i) {
    const Step lower = static_cast<Step>(random() % count);
    Buffer buffer{.lifetime = {lower, lower + static_cast<Step>(random() % 20)},
                  .size = static_cast<Bytes>(random() % 100)};
    if (random() % 3 == 0) buffer.alignment = Bytes{1} << (random() % 6);
    buffers.push_back(buffer);
  }
  return buffers;
}

TEST(LayoutPlanner, PlacesRightly) {
  LayoutPlanner planner;
  int optimal = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    std::vector<Buffer> buffers = random_buffers(seed, seed % 60);
    if (seed % 4 == 0 && !buffers.empty()) buffers.front().fixed_offset = 37;
    std::vector<Bytes> offsets(buffers.size(), -1);
    const auto result = planner.place(buffers, offsets);
    const LayoutProblem problem{.buffers = IdVector<BufferId, Buffer>(buffers), .capacity = {}};
    const Layout layout{IdVector<BufferId, Bytes>(offsets), result.height};
    ASSERT_EQ(layout_error(problem, layout), "") << seed;
    ASSERT_EQ(result.lower_bound, lower_bound(problem)) << seed;
    optimal += result.is_optimal() ? 1 : 0;
  }
  EXPECT_GT(optimal, 20);
}

TEST(LayoutPlanner, AllocatesNothingOnceWarm) {
  LayoutPlanner planner;
  const std::vector<Buffer> first = random_buffers(1, 500), second = random_buffers(2, 480);
  std::vector<Bytes> offsets(500);
  const int cold = allocations;
  planner.place(first, offsets);
  EXPECT_GT(allocations, cold);  // the counter counts
  const int warm = allocations;
  for (int i = 0; i < 10; ++i) {
    planner.place(first, offsets);
    planner.place(second, std::span(offsets).first(480));
  }
  EXPECT_EQ(allocations, warm);
}

}  // namespace
}  // namespace lowtide
