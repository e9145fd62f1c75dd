#include "lowtide/layout/shapes.h"

#include <algorithm>

#include "lowtide/base/room.h"
#include "lowtide/layout/shapes/order_search.h"
#include "lowtide/layout/shapes/pair_search.h"
#include "lowtide/layout/shapes/shape_dive.h"
#include "lowtide/layout/shapes/shape_fit.h"
#include "lowtide/layout/shapes/sharing.h"
#include "lowtide/model/bodies.h"
#include "lowtide/model/fixed_conflict.h"
#include "lowtide/model/layout_bounds.h"

namespace lowtide {
namespace {

using Hints = IdVector<BufferId, Bytes>;

constexpr std::size_t kMaxShapes = 1000;  // of a search over pairs
constexpr int kMaxRounds = 40;
constexpr int kFirstDives = 16;
constexpr int kOrdersPerDive = 8;

Solution<Layout> verdict(const std::optional<Bytes>& capacity, Layout layout, Bytes bound) {
  if (capacity && bound > *capacity) return Solution<Layout>::infeasible(bound);
  if (capacity && layout.height > *capacity) return Solution<Layout>::unknown(bound);
  const Bytes height = layout.height;
  return Solution<Layout>::found(std::move(layout), height, bound);
}

bool has_any(const Hints& hints) {
  return std::any_of(hints.begin(), hints.end(), [](Bytes hint) { return hint >= 0; });
}

// Parts apart may take more room than numbers hold where the shapes do not.
bool can_be_stacked(const LayoutProblem& parts) {
  Bytes sum = 0;
  return std::all_of(parts.buffers.begin(), parts.buffers.end(), [&](const Buffer& part) {
    return add_room(part.size, part.alignment, &sum) && sum <= kMaxRoom;
  });
}

// One stretch of time.
class Stretch {
 public:
  Stretch(const ShapeProblem& whole, const Hints& hints, std::vector<BufferId> members)
      : members_(std::move(members)) {
    for (BufferId b : members_) {
      problem_.shapes.push_back(whole.shapes[b]);
      hints_.push_back(hints[b]);
    }
    problem_.capacity = whole.capacity;
    bound_ = lower_bound(problem_);
  }

  const std::vector<BufferId>& members() const { return members_; }
  const Layout& best() const { return best_; }
  Bytes height() const { return best_.height; }
  Bytes bound() const { return bound_; }
  bool has_layout() const { return !best_.offsets.empty(); }
  bool open(Bytes target) const { return height() > std::max(target, bound_); }

  // The rectangles around the shapes, where their load is no higher than what the shapes need: as
  // where few operators of a graph leave part of the bytes that they take over.
  void ask_surrounding(const LayoutSolver& solver, const Limits& limits) {
    const auto rectangles = surrounding_rectangles(problem_);
    if (!rectangles || lower_bound(*rectangles) > bound_) return;
    const auto solution = solver.solve(*rectangles, limits);
    if (solution.has_value()) best_ = solution.best();
    if (as_rectangles(problem_)) settle(solution.bound());
  }

  void fit(Bytes target, const Limits& limits) {
    if (has_layout() && !open(target)) return;
    Fitted fitted = fit_shapes(problem_, hints_, std::max(target, bound_), limits);
    if (!has_layout() || fitted.layout.height < height()) best_ = std::move(fitted.layout);
    order_ = std::move(fitted.order);
  }

  void dive(Bytes target, int dives, std::uint64_t seed, Meter* meter) {
    if (is_settled_ || as_rectangles(problem_)) return;
    if (!dives_) dives_.emplace(problem_, seed);
    if (!orders_) orders_.emplace(problem_, order_, seed);
    const Bytes wanted = std::max(target, bound_);
    best_ = orders_->improve(std::move(best_), wanted, kOrdersPerDive * dives, meter);
    best_ = dives_->improve(std::move(best_), wanted, dives, meter);
  }

  // What rectangles can say: the answer if they are all there is, else a bound.
  void ask_rectangles(const LayoutSolver& solver, const Limits& limits) {
    if (is_settled_) return;
    if (const auto rectangles = as_rectangles(problem_)) {
      const auto solution = solver.solve(*rectangles, limits);
      if (solution.has_value() && solution.value() < height()) best_ = solution.best();
      settle(solution.bound());
    } else if (const auto parts = separate_parts(problem_); solver.exact && can_be_stacked(parts)) {
      bound_ = std::max(bound_, solver.solve(parts, limits).bound());
    }
  }

  void search(Bytes target, int round, Meter* meter) {
    if (is_settled_ || members_.size() > kMaxShapes) return;
    if (!pair_search_) pair_search_.emplace(problem_);
    const std::int64_t nodes = std::int64_t{256} << round;
    ask(std::max(target, bound_), nodes, meter);
    while (open(target) && !meter->stopped() && ask(height() - 1, nodes, meter)) {
    }
  }

 private:
  void settle(Bytes bound) {
    bound_ = std::max(bound_, bound);
    is_settled_ = true;
  }

  // True if that found a layout.
  bool ask(Bytes capacity, std::int64_t nodes, Meter* meter) {
    if (capacity < bound_ || capacity >= height()) return false;
    const Outcome outcome =
        meter->within(nodes, [&](Meter* part) { return pair_search_->run(capacity, part); });
    if (outcome == Outcome::kExhausted) bound_ = std::max(bound_, capacity + 1);
    if (outcome != Outcome::kFound) return false;
    best_.offsets = pair_search_->offsets();
    best_.height = height_of(problem_, best_.offsets);
    return true;
  }

  std::vector<BufferId> members_;
  ShapeProblem problem_;
  Hints hints_;
  Layout best_;
  Bytes bound_ = 0;
  bool is_settled_ = false;      // there is nothing more to be known
  std::vector<BufferId> order_;  // of the best fit
  std::optional<ShapeDives> dives_;
  std::optional<OrderSearch> orders_;
  std::optional<PairSearch> pair_search_;
};

class ShapeSolver {
 public:
  ShapeSolver(const ShapeProblem& problem, const Hints& hints)
      : problem_(problem), has_hints_(has_any(hints)) {
    for (auto& members : time_components(problem))
      stretches_.emplace_back(problem, hints, std::move(members));
  }

  Solution<Layout> run(const LayoutSolver& solver, const Limits& limits) {
    Meter meter(limits);
    if (!has_hints_)
      for (Stretch& stretch : stretches_) stretch.ask_surrounding(solver, share_of(&meter));
    for (Stretch& stretch : stretches_) stretch.fit(target(), meter.rest());
    dive_all(kFirstDives, &meter);
    for (Stretch& stretch : stretches_)
      if (is_possible() && stretch.open(target()) && !meter.stopped())
        stretch.ask_rectangles(solver, share_of(&meter));
    const int rounds = solver.exact ? kMaxRounds : 0;
    for (int round = 0; round < rounds && is_open() && !meter.stopped(); ++round) {
      for (Stretch& stretch : stretches_)
        if (stretch.open(target()) && !meter.stopped()) stretch.search(target(), round, &meter);
      dive_all(kFirstDives << std::min(round, 10), &meter);
    }
    return verdict(problem_.capacity, combined(), bound());
  }

 private:
  void dive_all(int dives, Meter* meter) {
    for (Stretch& stretch : stretches_)
      if (is_possible() && stretch.open(target()) && !meter->stopped())
        stretch.dive(target(), dives, meter->limits().seed(), meter);
  }

  // Half of the rest is for the pairs.
  static Limits share_of(Meter* meter) {
    const Limits rest = meter->rest();
    const Limits timed = rest.has_deadline() ? rest.with_seconds(rest.seconds_left() / 2) : rest;
    return timed.with_steps(meter->steps_left() / 2);
  }

  Bytes bound() const {
    Bytes bound = 0;
    for (const Stretch& stretch : stretches_) bound = std::max(bound, stretch.bound());
    return bound;
  }
  Bytes target() const { return std::max(bound(), problem_.capacity.value_or(0)); }
  bool is_possible() const { return !problem_.capacity || bound() <= *problem_.capacity; }
  bool is_open() const {
    return is_possible() && std::any_of(stretches_.begin(), stretches_.end(),
                                        [&](const auto& s) { return s.open(target()); });
  }

  Layout combined() const {
    Layout layout;
    for (const Shape& shape : problem_.shapes)
      layout.offsets.push_back(shape.fixed_offset.value_or(shape.residue));
    for (const Stretch& stretch : stretches_)
      for (std::size_t i = 0; i < stretch.members().size(); ++i)
        layout.offsets[stretch.members()[i]] = stretch.best().offsets[BufferId(i)];
    layout.height = height_of(problem_, layout.offsets);
    return layout;
  }

  const ShapeProblem& problem_;
  bool has_hints_;
  std::vector<Stretch> stretches_;
};

Hints hints_of(const LayoutRequest& request, const Bodies& bodies) {
  Hints hints(bodies.problem.shapes.size(), -1);
  for (const Hint& hint : request.hints)
    hints[bodies.body[hint.buffer]] = hint.offset - bodies.distance[hint.buffer];
  return hints;
}

bool fixed_shapes_collide(const ShapeProblem& problem) {
  LayoutProblem fixed;
  for (const Shape& shape : problem.shapes)
    if (shape.fixed_offset)
      for (const ShapePart& part : shape.parts)
        fixed.buffers.push_back({.lifetime = part.lifetime,
                                 .size = part.upper - part.lower,
                                 .fixed_offset = *shape.fixed_offset + part.lower});
  return fixed_conflict(fixed).has_value();
}

}  // namespace

Solution<Layout> solve_shapes(const ShapeProblem& problem, const Hints& hints,
                              const LayoutSolver& solver, const Limits& limits) {
  if (const auto rectangles = as_rectangles(problem); rectangles && !has_any(hints))
    return solver.solve(*rectangles, limits);
  if (fixed_shapes_collide(problem)) return Solution<Layout>::infeasible(lower_bound(problem));
  return ShapeSolver(problem, hints).run(solver, limits);
}

Solution<Layout> solve_request(const LayoutRequest& request, const LayoutSolver& solver,
                               const Limits& limits) {
  if (request.is_plain() && request.hints.empty()) return solver.solve(request.problem, limits);
  if (!request.may_reuse.empty()) return solve_sharing(request, solver, limits);
  const Bodies bodies = make_bodies(request);
  auto solution = solve_shapes(bodies.problem, hints_of(request, bodies), solver, limits);
  if (solution.has_value()) {
    Layout& layout = solution.best();
    layout.offsets = lift_offsets(bodies, layout.offsets);
  }
  return solution;
}

Solution<Layout> solve_interruptibly(const LayoutRequest& request, const LayoutSolver& solver,
                                     const Limits& limits) {
  constexpr double kSeconds = 0.25;
  const auto walk = [&] {
    return solve_request(request, *find_layout_solver("skyline"), Limits::within_seconds(kSeconds));
  };
  if (limits.is_cancelled()) return walk();
  auto solution = solve_request(request, solver, limits);
  const bool is_open =
      solution.status() == Status::kFeasible || solution.status() == Status::kUnknown;
  if (limits.is_cancelled() && is_open) solution.improve(walk());
  return solution;
}

}  // namespace lowtide
