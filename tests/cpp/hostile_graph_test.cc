// Graphs whose sizes are as large as they may be, or larger: what the builder and the planner's
// options let through is planned, and the verifier finds it right. Under UBSan (`make sanitize`)
// this shows that no sum overflows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "lowtide/base/room.h"
#include "lowtide/graph/error.h"
#include "lowtide/graph/graph_builder.h"
#include "lowtide/joint/program.h"
#include "lowtide/mip/highs.h"
#include "lowtide/model/lower.h"
#include "lowtide/order/program/step_program.h"
#include "lowtide/planner/planner.h"
#include "lowtide/verify/verifier.h"
#include "support/long_tests.h"
#include "support/random_graph.h"

namespace lowtide {
namespace {

using ::testing::HasSubstr;

std::optional<Graph> graph_of(std::uint64_t seed) {
  constexpr Bytes kLargest[] = {kMaxBytes,     kMaxRoom,       kMaxRoom / 4,   kMaxRoom / 16,
                                kMaxRoom / 64, kMaxRoom / 256, Bytes{1} << 40, 5};
  try {
    return testing::random_graph(seed, {.num_nodes = 1 + static_cast<int>(seed / 8 % 9),
                                        .max_bytes = kLargest[seed % std::size(kLargest)]});
  } catch (const InputError&) {
    return std::nullopt;
  }
}

PlanOptions options_of(std::uint64_t seed) {
  constexpr Bytes kAlignments[] = {1, 64, 7, Bytes{1} << 40, (Bytes{1} << 40) - 1};
  PlanOptions options{.step_limit = 2000, .alignment = kAlignments[seed / 3 % 5]};
  options.use_reuse = seed % 4 == 1;
  options.joint = seed % 32 == 6;
  if (!mip::is_available()) return options;
  if (seed % 32 == 7) options.order = "ilp";
  if (seed % 32 == 15) options.order = "ilp_shared";
  if (seed % 32 == 23) options.layout = "ilp";
  return options;
}

TEST(HostileGraphs, AreRefusedOrPlanned) {
  int refused = 0, planned = 0;
  for (std::uint64_t seed = 0; seed < testing::cases(3000, 100'000); ++seed) {
    const auto graph = graph_of(seed);
    const PlanOptions options = options_of(seed);
    try {
      if (!graph) throw InputError("graph", "refused");
      check_sizes(*graph, options.alignment);
    } catch (const InputError&) {
      ++refused;
      if (graph) {
        EXPECT_THROW(plan(*graph, options), InputError) << seed;
      }
      continue;
    }
    const Plan found = plan(*graph, options).plan;
    ++planned;
    ASSERT_THAT(verify(*graph, found), ::testing::IsEmpty()) << seed;
    ASSERT_LE(found.peak_lower_bound_bytes, found.peak_bytes) << seed;
    ASSERT_LE(found.arena_lower_bound_bytes, found.arena_bytes) << seed;
  }
  EXPECT_GT(refused, 300);
  EXPECT_GT(planned, 300);
}

TEST(HostileGraphs, HavePrograms) {
  for (std::uint64_t seed = 0; seed < testing::cases(300, 10'000); ++seed) {
    const auto graph = graph_of(seed);
    if (!graph) continue;
    OrderProblem problem = lower_order(*graph, false).problem;
    EXPECT_GE(build_step_program(problem, Timesteps::kSerial).unit, 1) << seed;
    const Bytes alignment = Bytes{1} << (seed % 63);
    try {
      check_sizes(*graph, alignment);
    } catch (const InputError&) {
      continue;
    }
    EXPECT_EQ(build_joint_program(problem, alignment, kMaxRoom).unit() % alignment, 0) << seed;
  }
}

TEST(HostileGraphs, AreRefusedForAReason) {
  const auto reason_for = [](Bytes first, Bytes second, Bytes alignment) -> std::string {
    try {
      GraphBuilder builder("g");
      builder.add_tensor({.name = "a", .bytes = first});
      builder.add_node({.name = "n", .outputs = {"a"}, .workspace_bytes = second});
      check_sizes(std::move(builder).build(), alignment);
    } catch (const InputError& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_EQ(reason_for(kMaxRoom - 9, 7, 1), "accepted");
  EXPECT_THAT(reason_for(kMaxRoom, 1, 1), HasSubstr("'n': the sum of all bytes exceeds 2^60 - 1"));
  EXPECT_THAT(reason_for(kMaxBytes, 0, 1), HasSubstr("'a': the sum of all bytes exceeds"));
  EXPECT_THAT(reason_for(1, 0, kMaxBytes), HasSubstr("'a': the sum of all bytes, each rounded"));
  EXPECT_THAT(reason_for(0, 1, kMaxRoom / 2), HasSubstr("rounded up to the alignment of 5764607"));
}

}  // namespace
}  // namespace lowtide
