#include "lowtide/planner/repack.h"

#include <algorithm>
#include <random>

#include "lowtide/layout/shapes.h"
#include "lowtide/layout/solvers.h"
#include "lowtide/model/layout_bounds.h"
#include "lowtide/model/lifetimes.h"

namespace lowtide {
namespace {

constexpr int kMaxTrials = 2000;
constexpr std::size_t kMeanMoves = 3;
constexpr std::int64_t kMaxSteps = 5'000'000;  // a few seconds

class Walk {
 public:
  Walk(const OrderProblem& problem, const Packing& start, const RepackGoal& goal,
       const Limits& limits)
      : problem_(problem),
        goal_(goal),
        meter_(limits.with_steps(kMaxSteps)),
        random_(limits.seed()),
        current_(start) {}

  // The walk never rises, so where it ends is the best it has seen.
  std::optional<Packing> run() {
    const Bytes height = current_.layout.value();
    const auto cost = static_cast<std::int64_t>(problem_.num_nodes());
    for (int i = 0; i < kMaxTrials && current_.layout.value() > goal_.arena; ++i) {
      if (meter_.spend(cost)) break;
      try_moves();
    }
    if (current_.layout.value() >= height) return std::nullopt;
    return std::move(current_);
  }

 private:
  std::size_t below(std::size_t end) { return static_cast<std::size_t>(random_() % end); }

  // One node at another of the positions that its neighbours in the graph leave it.
  Schedule moved(const Schedule& old) {
    const auto steps = steps_of(problem_, old);
    const std::size_t from = below(old.size());
    const NodeId v = old[from];
    std::size_t first = 0, last = old.size() - 1;
    for (NodeId u : problem_.predecessors[v])
      first = std::max(first, static_cast<std::size_t>(steps[u]) + 1);
    for (NodeId w : problem_.successors[v])
      last = std::min(last, static_cast<std::size_t>(steps[w]) - 1);
    const std::size_t to = first + below(last - first + 1);
    Schedule schedule = old;
    const auto at = [&](std::size_t i) {
      return schedule.begin() + static_cast<std::ptrdiff_t>(i);
    };
    if (from < to) std::rotate(at(from), at(from + 1), at(to + 1));
    if (to < from) std::rotate(at(to), at(from), at(from + 1));
    return schedule;
  }

  // Goes on to another order if it keeps the budget and packs as well.
  void try_moves() {
    Schedule schedule = moved(current_.schedule);
    while (below(kMeanMoves) != 0) schedule = moved(schedule);
    if (schedule == current_.schedule || peak(problem_, schedule) > goal_.budget) return;
    if (arena_load(problem_, schedule, goal_.alignment) > current_.layout.value()) return;
    LoweredLayout placing = lower_layout(problem_, schedule, goal_.alignment);
    auto layout = lay_out(placing.request);
    if (layout.value() > current_.layout.value()) return;
    current_ = {std::move(schedule), std::move(placing), std::move(layout)};
  }

  Solution<Layout> lay_out(const LayoutRequest& placing) {
    const auto size = std::ssize(placing.problem.buffers.raw());
    const std::int64_t steps = std::min(meter_.steps_left(), 2000 + 50 * size);
    meter_.spend(size);
    return solve_request(placing, *find_layout_solver("auto"), meter_.limits().with_steps(steps));
  }

  const OrderProblem& problem_;
  const RepackGoal& goal_;
  Meter meter_;
  std::mt19937_64 random_;
  Packing current_;
};

}  // namespace

Packing pack(const OrderProblem& problem, Schedule schedule, Bytes alignment,
             const LayoutSolver& solver, const Limits& limits) {
  LoweredLayout placing = lower_layout(problem, schedule, alignment);
  auto layout = solve_interruptibly(placing.request, solver, limits);
  return {std::move(schedule), std::move(placing), std::move(layout)};
}

std::optional<Packing> repack(const OrderProblem& problem, const Packing& start,
                              const RepackGoal& goal, const Limits& limits) {
  if (problem.num_nodes() == 0 || start.layout.value() <= goal.arena) return std::nullopt;
  return Walk(problem, start, goal, limits).run();
}

}  // namespace lowtide
