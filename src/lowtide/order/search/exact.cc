#include "lowtide/order/search/exact.h"

#include <algorithm>
#include <utility>

#include "lowtide/analysis/lower_bounds.h"
#include "lowtide/analysis/set_bound.h"
#include "lowtide/model/lifetimes.h"
#include "lowtide/order/greedy/list_schedule.h"
#include "lowtide/order/search/branch.h"
#include "lowtide/order/search/contract.h"
#include "lowtide/order/search/fits.h"
#include "lowtide/order/search/follow.h"
#include "lowtide/order/search/propagate.h"
#include "lowtide/order/search/symmetry.h"
#include "lowtide/order/search/windows.h"

namespace lowtide {
namespace {

constexpr std::int64_t kFirstEffort = 20'000;  // steps of a search, and as many per node
constexpr std::int64_t kEffortPerNode = 50;
constexpr std::int64_t kProbeEffort = 1000;  // of a first search, as good as free
constexpr std::int64_t kProbePerNode = 20;
constexpr std::int64_t kEffortGrowth = 8;
constexpr std::int64_t kMaxEffort = 1'000'000'000'000'000;
constexpr std::int64_t kSearchShare = 8;
constexpr int kBisections = 6;
constexpr Bytes kWideGap = 100;  // one part in
constexpr int kFirstFlows = 60;
constexpr std::int64_t kStepsPerFlow = 1000;
constexpr std::size_t kMaxJoins = 16;  // around which sets are sought
constexpr std::size_t kNeedyLevels = 8;
constexpr int kFollowBudgets = 6;
constexpr std::int64_t kFollowTries = 100;
constexpr std::int64_t kFollowNodes = 3'000'000;  // in all tries together
constexpr std::size_t kFirstAsked = 8;            // nodes that propagation asks
constexpr std::size_t kAskedGrowth = 8;
constexpr std::size_t kMaxBranched = 400;   // nodes; with more, a precedence implies too little
constexpr std::int64_t kProofSteps = 512;   // times the effort
constexpr std::int64_t kBranchSteps = 8;    // times the effort
constexpr std::int64_t kBranchShare = 512;  // of the effort, for each single search

class ExactOrder {
 public:
  // core: `problem` contracted.
  ExactOrder(const OrderProblem& problem, Reduced core, Solution<Schedule> start, Meter meter,
             const Techniques& use)
      : problem_(problem),
        use_(use),
        unit_(unit_of(problem)),
        solution_(std::move(start)),
        meter_(std::move(meter)),
        core_(std::move(core)),
        guide_(core_.reduce(solution_.best())),
        bounds_(core_.problem) {}

  Solution<Schedule> run() {
    const auto size = static_cast<std::int64_t>(core_.problem.num_nodes());
    if (!done()) learn(guide_);
    raise_bound(1);
    ask(solution_.bound(), kProbeEffort + kProbePerNode * size, &ExactOrder::search);
    follow_guide();  // the better the guide, the fewer flows
    raise_bound(kFirstFlows);
    try_greedy();
    follow_guide();
    for (std::int64_t effort = kFirstEffort + kEffortPerNode * size; !done();
         effort = std::min(effort * kEffortGrowth, kMaxEffort)) {
      try_sets(effort);
      ask(solution_.bound(), kSearchShare * effort, &ExactOrder::search);
      if (ask(solution_.value() - unit_, effort, &ExactOrder::search) == Answer::kYes)
        bisect(effort, &ExactOrder::search);
      raise_bound(static_cast<int>(std::min<std::int64_t>(effort / kStepsPerFlow, 1'000'000)));
      follow_guide();
      ask(solution_.bound(), effort, &ExactOrder::divide);
      try_windows(effort);
      while (ask(solution_.value() - unit_, effort, &ExactOrder::refute) == Answer::kYes) {
        bisect(effort, &ExactOrder::divide);
        try_windows(effort);
      }
      bisect_down(effort, &ExactOrder::refute);
    }
    return std::move(solution_);
  }

 private:
  using Method = FitResult (ExactOrder::*)(Bytes budget, std::int64_t effort);

  bool done() const { return solution_.status() == Status::kOptimal || meter_.stopped(); }

  void report() const { meter_.limits().report(solution_.value(), solution_.bound()); }

  void prove_at_least(Bytes bound) {
    solution_.raise_bound(std::min(solution_.value(), (bound + unit_ - 1) / unit_ * unit_));
    report();
  }

  void raise_bound(int max_flows) {
    if (done()) return;
    bounds_.raise(guide_, max_flows, &meter_);
    prove_at_least(bounds_.best());
  }

  // Around the nodes that need most (where most waits, something is waited for), and of alike ones.
  void try_sets(std::int64_t effort) {
    if (!use_.sets || done() || tried_sets_) return;
    tried_sets_ = meter_.within(effort, [&](Meter* part) {
      for (const auto& set : needy_sets(core_.problem, kNeedyLevels, part)) try_set(set, part);
      for (NodeId join : bounds_.dearest(kMaxJoins)) try_set(join, part);
      return !part->stopped();
    });
  }

  template <class Set>
  void try_set(const Set& set, Meter* part) {
    for (const SetEnd end : {SetEnd::kLast, SetEnd::kFirst})
      if (!done() && !part->stopped())
        prove_at_least(
            set_bound(core_.problem, set, end, solution_.bound(), solution_.value(), part));
  }

  // An order of the contracted problem.
  bool learn(const Schedule& order) {
    Schedule schedule = core_.expand(order);
    const Bytes value = peak(problem_, schedule);
    if (value >= solution_.value()) return false;
    guide_ = order;
    solution_.improve(Solution<Schedule>::found(std::move(schedule), value, solution_.bound()));
    report();
    return true;
  }

  // At the bound, half-way to the value, and ever nearer to it; all over again after each better
  // order.
  void follow_guide() {
    const std::pair gap(solution_.bound(), solution_.value());
    if (!use_.follow || std::exchange(followed_, gap) == gap) return;
    const auto size = static_cast<std::int64_t>(core_.problem.num_nodes());
    std::int64_t tries = std::min(kFollowTries, 1 + kFollowNodes / size);
    for (int halvings = 0; halvings < kFollowBudgets && tries > 0 && !done(); ++halvings)
      if (follow_within(solution_.value() - ((solution_.value() - solution_.bound()) >> halvings),
                        &tries))
        halvings = -1;
  }

  // The best order and program order, both read from either side, from both ends.
  bool follow_within(Bytes budget, std::int64_t* tries) {
    const bool both_ways = use_.backward && core_.problem.reuses.num_items() == 0;
    for (Schedule ranking : {guide_, program_order_of(core_.problem)})
      for (int side = 0; side < 2; ++side) {
        std::reverse(ranking.begin(), ranking.end());
        for (const Direction direction : {Direction::kBackward, Direction::kForward}) {
          if (done() || *tries <= 0 || (direction == Direction::kBackward && !both_ways)) continue;
          --*tries;
          const auto order =
              follow(core_.problem, ranking, {budget, solution_.value()}, direction, &meter_);
          if (order && learn(*order)) return true;
        }
      }
    return false;
  }

  // A narrow gap is closed by a proof, if at all.
  bool is_wide_gap() const {
    return solution_.value() - solution_.bound() >= solution_.value() / kWideGap;
  }

  void try_windows(std::int64_t effort) {
    if (!use_.windows || done() || !is_wide_gap()) return;
    if (auto better = improve_in_windows(core_.problem, guide_, effort, &meter_, use_))
      learn(*better);
  }

  // Nodes that would exceed the budget wait: each budget is another order.
  void try_greedy() {
    for (int eighth = 0; eighth < 8 && !done(); ++eighth) {
      const Bytes gap = solution_.value() - solution_.bound();
      learn(greedy_order(core_.problem, solution_.bound() + gap / 8 * eighth, &meter_));
    }
  }

  FitResult search(Bytes budget, std::int64_t effort) {
    return search_both_ways(core_.problem, budget, effort, &meter_, use_);
  }
  FitResult divide(Bytes budget, std::int64_t effort) {
    return fits_budget(core_.problem, budget, guide_, effort, &meter_, use_);
  }
  // What the budget implies may be dear to find out: it has its share of the steps.
  FitResult refute(Bytes budget, std::int64_t effort) {
    FitResult fit = divide(budget, effort);
    if (fit.answer != Answer::kUnknown || done() || !use_.propagation) return fit;
    return meter_.within(kProofSteps * effort, [&](Meter* part) {
      return propagate(representative(), budget, effort, part);
    });
  }

  // The contracted problem; of orders that differ by a symmetry only, one of each kind.
  Reduced representative() {
    if (use_.symmetry) {
      const auto chained = symmetry_precedences(core_.problem, guide_, &meter_);
      auto chosen = with_precedences(core_.problem, chained);
      if (chosen && !chained.empty()) return std::move(*chosen);
    }
    return unreduced(core_.problem);
  }

  FitResult propagate(const Reduced& chosen, Bytes budget, std::int64_t effort, Meter* meter) {
    const std::size_t size = chosen.problem.num_nodes();
    std::size_t arcs = core_.problem.successors.num_items();
    for (std::size_t asked = kFirstAsked; !meter->stopped(); asked *= kAskedGrowth) {
      auto tight = tighten(chosen.problem, budget, chosen.reduce(guide_), asked, meter, use_);
      if (!tight) return {Answer::kNo, {}};
      const Reduced narrowed = compose(chosen, std::move(*tight));
      const bool news = std::exchange(arcs, narrowed.problem.successors.num_items()) != arcs;
      if (news) {
        const FitResult found =
            fits_budget(narrowed.problem, budget, narrowed.reduce(guide_), effort, meter, use_);
        if (found.answer != Answer::kUnknown)
          return {found.answer, narrowed.expand(found.schedule)};
      }
      if (asked >= size) return branch(narrowed, budget, effort, meter);
    }
    return {};
  }

  // Of small problems, and for the proof only: a wide gap is closed by cheaper means, if at all.
  FitResult branch(const Reduced& narrowed, Bytes budget, std::int64_t effort, Meter* meter) {
    if (!use_.branching || meter->stopped() || narrowed.problem.num_nodes() > kMaxBranched ||
        budget < solution_.value() - unit_)
      return {};
    const FitResult found = meter->within(kBranchSteps * effort, [&](Meter* part) {
      return branch_within(narrowed.problem, budget, narrowed.reduce(guide_), effort / kBranchShare,
                           part, use_);
    });
    return {found.answer, narrowed.expand(found.schedule)};
  }

  // Is there an order within `budget`? The solution learns from the answer.
  Answer ask(Bytes budget, std::int64_t effort, Method method) {
    if (done() || budget >= solution_.value()) return Answer::kUnknown;
    const FitResult fit = (this->*method)(budget, effort);
    if (fit.answer == Answer::kNo) prove_at_least(budget + 1);
    if (fit.answer == Answer::kYes) {
      learn(fit.schedule);
      LOWTIDE_CHECK(solution_.value() <= budget, "an order said to fit exceeds its budget");
    }
    return fit.answer;
  }

  // A better incumbent: half-way to the lowest budget that is still in question.
  void bisect(std::int64_t effort, Method method) {
    Bytes low = solution_.bound();
    for (int i = 0; i < kBisections && !done(); ++i) {
      low = std::max(low, solution_.bound());
      const Bytes middle = low + (solution_.value() - low) / 2 / unit_ * unit_;
      if (middle <= low) return;
      if (ask(middle, effort, method) == Answer::kUnknown) low = middle;
    }
  }

  // A better bound, if it is far off: half-way down from the highest budget that is still in
  // question.
  void bisect_down(std::int64_t effort, Method method) {
    Bytes high = solution_.value();
    if (!is_wide_gap()) return;
    for (int i = 0; i < kBisections && !done(); ++i) {
      const Bytes middle = solution_.bound() + (high - solution_.bound()) / 2 / unit_ * unit_;
      if (middle >= high) return;
      if (ask(middle, effort, method) != Answer::kNo) high = middle;
    }
  }

  const OrderProblem& problem_;
  Techniques use_;
  Bytes unit_;
  Solution<Schedule> solution_;
  Meter meter_;
  Reduced core_;
  std::pair<Bytes, Bytes> followed_;  // bound and value when the guide was followed last
  Schedule guide_;                    // the best order of the contracted problem
  NodeBounds bounds_;
  bool tried_sets_ = false;
};

}  // namespace

Solution<Schedule> exact_order(const OrderProblem& problem, Solution<Schedule> start,
                               const Limits& limits, const Techniques& use) {
  if (start.status() == Status::kOptimal || limits.expired()) return start;
  Meter meter(limits);
  auto core = contract(problem, &meter, use);
  if (!core || limits.expired()) return start;
  return ExactOrder(problem, std::move(*core), std::move(start), std::move(meter), use).run();
}

}  // namespace lowtide
