#include "lowtide/layout/solvers.h"

#include <algorithm>
#include <array>

#include "lowtide/layout/exact.h"
#include "lowtide/layout/fit.h"
#include "lowtide/layout/orders.h"
#include "lowtide/layout/sections.h"
#include "lowtide/layout/skyline.h"
#include "lowtide/model/layout_check.h"

namespace lowtide {
namespace {

using Keys = std::vector<BufferKey>;

bool has_fixed_offsets(const LayoutProblem& problem) {
  return std::any_of(problem.buffers.begin(), problem.buffers.end(),
                     [](const Buffer& buffer) { return buffer.fixed_offset.has_value(); });
}

// What a heuristic may claim about its layout: an answer if it keeps the capacity; infeasible only
// where the load alone exceeds the capacity.
Solution<Layout> judged(const LayoutProblem& problem, Layout layout, const Limits& limits) {
  const Bytes bound = lower_bound(problem);
  if (fixed_conflict(problem)) return Solution<Layout>::infeasible(bound);
  if (problem.capacity && bound > *problem.capacity) return Solution<Layout>::infeasible(bound);
  if (problem.capacity && layout.height > *problem.capacity)
    return Solution<Layout>::unknown(bound);
  limits.report(layout.height, bound);
  const Bytes height = layout.height;
  return Solution<Layout>::found(std::move(layout), height, bound);
}

Bytes fixed_top(const LayoutProblem& problem) {
  Bytes top = 0;
  for (const Buffer& buffer : problem.buffers)
    if (buffer.fixed_offset && !buffer.lifetime.empty())
      top = std::max(top, *buffer.fixed_offset + buffer.size);
  return top;
}

// What is left when even one pass is too long: every buffer on top of the ones before it.
Layout stacked(const LayoutProblem& problem) {
  Layout layout;
  layout.height = fixed_top(problem);
  for (const Buffer& buffer : problem.buffers) {
    const Bytes offset = buffer.fixed_offset.value_or(align_up(layout.height, buffer.alignment));
    layout.offsets.push_back(offset);
    if (!buffer.lifetime.empty()) layout.height = std::max(layout.height, offset + buffer.size);
  }
  return layout;
}

template <BufferKey kKey, Fit kFit>
Solution<Layout> fit_by(const LayoutProblem& problem, const Limits& limits) {
  const Sections sections = make_sections(problem);
  const Keys keys = {kKey, BufferKey::kSize, BufferKey::kLifetime};
  Meter meter(limits);
  Layout layout;
  if (!fit_layout(problem, sections, sorted_buffers(problem, sections, keys), kFit, &meter,
                  &layout))
    layout = stacked(problem);
  return judged(problem, std::move(layout), limits);
}

const std::vector<Keys>& skyline_orders() {
  using enum BufferKey;
  static const std::vector<Keys> orders = {
      {kLifetime, kSize, kArea}, {kLifetime, kArea, kSize},    {kArea, kLifetime, kSize},
      {kSize, kLifetime, kArea}, {kBreadth, kLifetime, kSize}, {kStart, kSize, kLifetime},
  };
  return orders;
}

// The lowest skyline of several orders. The first always runs, n log n whatever the limits say: the
// answer without it would be a stack.
Solution<Layout> skyline(const LayoutProblem& problem, const Limits& limits) {
  if (has_fixed_offsets(problem))
    return fit_by<BufferKey::kLifetime, Fit::kLowest>(problem, limits);
  const Sections sections = make_sections(problem);
  const Bytes bound = lower_bound(problem);
  Meter first_pass{Limits()};
  Meter meter(limits);
  Layout best;
  for (const Keys& keys : skyline_orders()) {
    const bool is_first = &keys == &skyline_orders().front();
    Layout layout;
    if (!skyline_layout(problem, sections, sorted_buffers(problem, sections, keys),
                        is_first ? &first_pass : &meter, &layout))
      break;
    if (is_first || layout.height < best.height) best = std::move(layout);
    if (best.height <= std::max(bound, problem.capacity.value_or(0))) break;
  }
  return judged(problem, std::move(best), limits);
}

// Each heuristic in turn, until one meets the bound (or the capacity) or the time is up.
Solution<Layout> best(const LayoutProblem& problem, const Limits& limits) {
  using enum BufferKey;
  auto solution = skyline(problem, limits);
  for (const auto solve : {fit_by<kStart, Fit::kTightest>, fit_by<kStart, Fit::kLowest>,
                           fit_by<kSize, Fit::kLowest>, fit_by<kBreadth, Fit::kLowest>,
                           fit_by<kArea, Fit::kLowest>, fit_by<kLifetime, Fit::kLowest>}) {
    const bool done = solution.status() == Status::kOptimal ||
                      solution.status() == Status::kInfeasible ||
                      (problem.capacity && solution.has_value());
    if (done || limits.expired()) break;
    solution.improve(solve(problem, limits));
  }
  return solution;
}

// The heuristics, then the search that proves or improves their answer.
Solution<Layout> exact(const LayoutProblem& problem, const Limits& limits) {
  return exact_layout(problem, best(problem, limits), limits);
}

constexpr std::array kSolvers = {
    LayoutSolver{"auto", true, "the default: heuristics first, then the exact search", exact},
    LayoutSolver{"exact", true,
                 "canonical search with proofs of impossibility; up to some thousand buffers",
                 exact},
    LayoutSolver{"best", false, "the best of all heuristics, lowest first", best},
    LayoutSolver{"skyline", false,
                 "always the buffer that can go lowest, several orders; large instances", skyline},
    LayoutSolver{"first_fit", false, "by start, lowest gap: what a simple allocator does",
                 fit_by<BufferKey::kStart, Fit::kLowest>},
    LayoutSolver{"best_fit", false, "by start, tightest gap: what caching allocators do",
                 fit_by<BufferKey::kStart, Fit::kTightest>},
    LayoutSolver{"greedy_by_size", false, "largest first; few large buffers among many small",
                 fit_by<BufferKey::kSize, Fit::kLowest>},
    LayoutSolver{"greedy_by_area", false, "largest size x lifetime first",
                 fit_by<BufferKey::kArea, Fit::kLowest>},
    LayoutSolver{"greedy_by_breadth", false, "buffers of the busiest steps first; inference graphs",
                 fit_by<BufferKey::kBreadth, Fit::kLowest>},
    LayoutSolver{"longest_first", false, "longest lifetime first; training graphs",
                 fit_by<BufferKey::kLifetime, Fit::kLowest>},
};

}  // namespace

std::span<const LayoutSolver> layout_solvers() { return kSolvers; }

const LayoutSolver* find_layout_solver(std::string_view name) {
  for (const LayoutSolver& solver : layout_solvers())
    if (name == solver.name) return &solver;
  return nullptr;
}

}  // namespace lowtide
