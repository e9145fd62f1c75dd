#include <algorithm>
#include <string>

#include "fuzz/targets.h"
#include "lowtide/base/check.h"
#include "lowtide/graph/error.h"
#include "lowtide/io/interval_csv.h"
#include "lowtide/layout/shapes.h"
#include "lowtide/layout/solvers.h"
#include "lowtide/model/fixed_conflict.h"
#include "lowtide/planner/options.h"
#include "lowtide/verify/layout_verifier.h"
#include "support/brute_force.h"

namespace lowtide::fuzz {
namespace {

constexpr std::size_t kMostPlaced = 200;
constexpr std::size_t kMostTried = 4;  // by brute force, with the next two
constexpr Bytes kHighestTried = 24;
constexpr Step kLongestTried = 100;

bool is_for_brute_force(const LayoutRequest& request, Bytes height) {
  return request.problem.buffers.size() <= kMostTried && height <= kHighestTried &&
         std::ranges::all_of(request.problem.buffers, [](const Buffer& buffer) {
           return buffer.size <= kHighestTried && buffer.lifetime.lower > -kLongestTried &&
                  buffer.lifetime.upper < kLongestTried &&
                  buffer.fixed_offset.value_or(0) <= kHighestTried;
         });
}

void place(const IntervalCsv& csv) {
  const auto solution =
      solve_request(csv, layout_solver_named("solver", "auto"), Limits().with_steps(300));
  LOWTIDE_CHECK(solution.has_value(), "without a capacity there is always a layout");
  LOWTIDE_CHECK(layout_error(csv, solution.best()).empty(), layout_error(csv, solution.best()));
  if (!is_for_brute_force(csv, solution.value())) return;
  LOWTIDE_CHECK(testing::is_right(csv, solution.best().offsets), "the oracle refuses the layout");
  const Bytes least = testing::optimal_height(csv, solution.value());
  LOWTIDE_CHECK(solution.bound() <= least, "a bound above what is possible");
  LOWTIDE_CHECK(solution.value() >= least, "below what is possible");
}

}  // namespace

void buffers_file(std::string_view bytes) {
  try {
    const IntervalCsv csv = parse_interval_csv(std::string(bytes), "fuzz");
    if (csv.problem.buffers.size() <= kMostPlaced && !fixed_conflict(csv)) place(csv);
  } catch (const InputError& error) {
    LOWTIDE_CHECK(std::string(error.what()).find('\n') == std::string::npos, "one line");
  }
}

}  // namespace lowtide::fuzz
