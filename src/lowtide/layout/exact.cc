#include "lowtide/layout/exact.h"

#include <algorithm>
#include <array>

#include "lowtide/layout/instance.h"
#include "lowtide/layout/ranking.h"
#include "lowtide/layout/repair.h"
#include "lowtide/layout/restarts.h"

namespace lowtide {
namespace {

constexpr std::size_t kMaxBuffers = 20'000;
// How far between target and incumbent capacities are tried.
constexpr std::array kFractions = {0.75, 0.5, 0.25, 0.125};
constexpr std::int64_t kMaxMemberships = 30'000'000;

// One part between its bound and its best height, in units.
class Part {
 public:
  Part(const Instance& instance, const Layout& incumbent, Bytes unit, std::uint64_t seed)
      : instance_(instance),
        restarts_(instance),
        walks_{Walk(instance, Repair::Style::kSummit, seed),
               Walk(instance, Repair::Style::kMixed, seed)},
        bound_(instance.max_load) {
    for (BufferId b : instance.id) offsets_.push_back(incumbent.offsets[b] / unit);
    height_ = height_of(instance_, offsets_);
  }

  Bytes height() const { return height_; }
  Bytes bound() const { return bound_; }
  const std::vector<Bytes>& offsets() const { return offsets_; }
  const Instance& instance() const { return instance_; }

  // One round of narrowing; nothing below `target` is wanted. `steps_count`: nor only the target.
  void narrow(Bytes target, bool steps_count, int round, Meter* meter) {
    const std::int64_t nodes = std::max<std::int64_t>(512, 4 * instance_.num_buffers())
                               << std::min(round, 40);
    if (open(target) && restarts_.is_perfect(bound_)) ask_for_perfection(round, nodes, meter);
    const Bytes wanted = std::max(target, bound_);
    if (is_wide(target))
      ask(wanted, round, nodes, meter);
    else
      mend_and_ask(wanted, round, nodes, meter);
    for (double fraction : kFractions)
      while (is_wide(target) && !meter->stopped() &&
             ask(between(target, fraction), round, nodes, meter)) {
      }
    if (steps_count && is_wide(target)) walk_down(target, nodes, meter);
    while (open(target) && !meter->stopped() && ask(height_ - 1, round, nodes, meter)) {
    }
  }
  bool open(Bytes target) const { return height_ > std::max(target, bound_); }

 private:
  struct Walk {
    Walk(const Instance& instance, Repair::Style style, std::uint64_t seed)
        : repair(instance, style, seed) {}
    Repair repair;
    bool is_behind = true;  // the best layout came from elsewhere
  };

  // Worth trying heights in between: in a narrow gap they are as hard as the target itself.
  bool is_wide(Bytes target) const {
    const Bytes low = std::max(target, bound_);
    return height_ - low > low / 64;
  }

  // Of the heights that are still open.
  Bytes between(Bytes target, double fraction) const {
    const Bytes low = std::max(target, bound_);
    return low + static_cast<Bytes>(fraction * static_cast<double>(height_ - 1 - low));
  }

  // A packing without a free byte, if there is one, is found by a search of its own, with cheap
  // nodes and other rankings each time; no other height is worth as much.
  void ask_for_perfection(int round, std::int64_t nodes, Meter* meter) {
    constexpr int kRankings = 14;
    constexpr std::int64_t kWorth = 4;
    take(restarts_.run(bound_, round * kRankings, kRankings, kWorth * nodes, meter), bound_);
  }

  // The plain rankings, and this round's share of noisy ones. True if that found a layout.
  bool ask(Bytes capacity, int round, std::int64_t nodes, Meter* meter) {
    if (!may_ask(capacity)) return false;
    Answer answer = restarts_.run(capacity, 0, Ranking::num_plain(), nodes, meter);
    if (answer.outcome == Outcome::kStopped) answer = ask_noisy(capacity, round, nodes, meter);
    return take(std::move(answer), capacity);
  }
  bool may_ask(Bytes capacity) const {
    return capacity >= bound_ && capacity < height_ && !restarts_.is_perfect(capacity);
  }
  Answer ask_noisy(Bytes capacity, int round, std::int64_t nodes, Meter* meter) {
    constexpr int kNoisy = 4;
    if (round == 0) return {};
    return restarts_.run(capacity, Ranking::num_plain() + (round - 1) * kNoisy, kNoisy, nodes,
                         meter);
  }

  // Where little is missing: at first hardly more than a dive of each ranking, taking turns with
  // repairs. On graphs one of them finds at once what others find late or never.
  void mend_and_ask(Bytes capacity, int round, std::int64_t nodes, Meter* meter) {
    const std::int64_t few = instance_.num_buffers() + instance_.num_buffers() / 8 + 64;
    for (int ranking = 0; round == 0 && ranking < Ranking::num_plain(); ++ranking) {
      if (may_ask(capacity))
        take(restarts_.run_plainly(capacity, ranking, 1, few, meter), capacity);
      mend(capacity, few, meter);
    }
    ask(capacity, round, nodes, meter);
    mend(capacity, nodes, meter);
  }

  // By both styles in turn.
  void mend(Bytes capacity, std::int64_t nodes, Meter* meter) {
    constexpr std::int64_t kMoves = 8;
    for (Walk& walk : walks_)
      if (may_ask(capacity) && !meter->stopped()) walk_to(capacity, kMoves * nodes, &walk, meter);
  }

  // Unit by unit, as long as each takes no longer than it is worth.
  void walk_down(Bytes target, std::int64_t nodes, Meter* meter) {
    constexpr std::int64_t kMoves = 512;
    while (open(target) && may_ask(height_ - 1) && !meter->stopped() &&
           walk_to(height_ - 1, kMoves * nodes, &walks_.back(), meter)) {
    }
  }

  // True if it found a layout.
  bool walk_to(Bytes capacity, std::int64_t moves, Walk* walk, Meter* meter) {
    if (walk->is_behind) walk->repair.start(offsets_);
    walk->is_behind = false;
    Meter of_walk(meter->rest().with_steps(moves));
    const bool found = walk->repair.run(capacity, &of_walk);
    meter->spend(of_walk.used());
    if (!found) return false;
    improve(walk->repair.offsets());
    walk->is_behind = false;
    return true;
  }

  bool take(Answer answer, Bytes capacity) {
    if (answer.outcome == Outcome::kExhausted) bound_ = std::max(bound_, capacity + 1);
    if (answer.outcome != Outcome::kFound) return false;
    improve(std::move(answer.offsets));
    return true;
  }
  void improve(std::vector<Bytes> offsets) {
    offsets_ = std::move(offsets);
    height_ = height_of(instance_, offsets_);
    for (Walk& walk : walks_) walk.is_behind = true;
  }

  const Instance& instance_;
  Restarts restarts_;
  std::array<Walk, 2> walks_;
  Bytes bound_;
  Bytes height_ = 0;
  std::vector<Bytes> offsets_;
};

// The parts together: the height is the highest part's, and so is the bound.
class Narrowing {
 public:
  Narrowing(const LayoutProblem& problem, const Instances& instances, const Layout& incumbent,
            std::uint64_t seed)
      : problem_(problem), unit_(instances.unit), best_(incumbent) {
    for (const Instance& instance : instances.parts)
      parts_.emplace_back(instance, incumbent, instances.unit, seed);
  }

  Solution<Layout> run(const Limits& limits, Rounds rounds) {
    Meter meter(limits);
    for (int round = rounds.first; round < rounds.end && !is_settled() && !meter.stopped(); ++round)
      for (Part& part : parts_) {
        if (meter.stopped() || is_settled()) break;
        part.narrow(target(), !problem_.capacity, round, &meter);
        limits.report(height() * unit_, bound() * unit_);
      }
    return solution();
  }

 private:
  Bytes height() const {
    Bytes height = 0;
    for (const Part& part : parts_) height = std::max(height, part.height());
    return height;
  }
  Bytes bound() const {
    Bytes bound = 0;
    for (const Part& part : parts_) bound = std::max(bound, part.bound());
    return bound;
  }
  // The capacity, rounded down to units: no layout ends in between.
  Bytes target() const {
    return problem_.capacity ? std::max(bound(), *problem_.capacity / unit_) : bound();
  }
  bool is_settled() const {
    if (problem_.capacity && bound() * unit_ > *problem_.capacity) return true;
    return height() <= target();
  }

  Solution<Layout> solution() {
    for (const Part& part : parts_)
      for (std::size_t b = 0; b < part.offsets().size(); ++b)
        best_.offsets[part.instance().id[b]] = part.offsets()[b] * unit_;
    best_.height = height_of(problem_, best_.offsets);
    const Bytes proved = std::max(bound() * unit_, lower_bound(problem_));
    if (problem_.capacity && proved > *problem_.capacity)
      return Solution<Layout>::infeasible(proved);
    if (problem_.capacity && best_.height > *problem_.capacity)
      return Solution<Layout>::unknown(proved);
    const Bytes height = best_.height;
    return Solution<Layout>::found(std::move(best_), height, proved);
  }

  const LayoutProblem& problem_;
  Bytes unit_;
  std::vector<Part> parts_;
  Layout best_;
};

}  // namespace

bool is_exact_size(const LayoutProblem& problem) {
  if (problem.buffers.size() > kMaxBuffers) return false;
  std::int64_t memberships = 0;
  for (const SectionRange& range : make_sections(problem).of) memberships += range.size();
  return memberships <= kMaxMemberships;
}

Solution<Layout> exact_layout(const LayoutProblem& problem, Layout incumbent, const Limits& limits,
                              Rounds rounds) {
  const Instances instances = make_instances(problem);
  return Narrowing(problem, instances, incumbent, limits.seed()).run(limits, rounds);
}

}  // namespace lowtide
