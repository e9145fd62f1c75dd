#include "lowtide/order/exact.h"

#include <numeric>

#include "lowtide/analysis/lower_bounds.h"
#include "lowtide/model/lifetimes.h"
#include "lowtide/order/contract.h"
#include "lowtide/order/fits.h"

namespace lowtide {
namespace {

constexpr std::int64_t kFirstEffort = 20'000;
constexpr std::int64_t kEffortGrowth = 8;
constexpr int kBisections = 8;

// All peaks are multiples of it.
Bytes unit_of(const OrderProblem& problem) {
  Bytes unit = 0;
  for (Bytes bytes : problem.bytes) unit = std::gcd(unit, bytes);
  for (Bytes bytes : problem.workspace_bytes) unit = std::gcd(unit, bytes);
  return std::max<Bytes>(unit, 1);
}

class ExactOrder {
 public:
  ExactOrder(const OrderProblem& problem, Solution<Schedule> start, const Limits& limits)
      : problem_(problem), unit_(unit_of(problem)), solution_(std::move(start)), meter_(limits) {}

  Solution<Schedule> run() {
    if (done()) return std::move(solution_);
    raise_bound(node_bound(problem_, solution_.best(), &meter_));
    if (done()) return std::move(solution_);
    core_ = contract(problem_, &meter_);
    for (std::int64_t effort = kFirstEffort; !done(); effort *= kEffortGrowth) {
      ask(solution_.bound(), effort);
      bisect(effort);
      while (!done() && ask(solution_.value() - unit_, effort) == Answer::kYes) {
      }
    }
    return std::move(solution_);
  }

 private:
  bool done() const { return solution_.status() == Status::kOptimal || meter_.stopped(); }

  void raise_bound(Bytes bound) {
    solution_.raise_bound(std::min(solution_.value(), (bound + unit_ - 1) / unit_ * unit_));
    meter_.limits().report(solution_.value(), solution_.bound());
  }

  // Is there an order within `budget`? The solution learns from the answer.
  Answer ask(Bytes budget, std::int64_t effort) {
    if (done() || budget >= solution_.value()) return Answer::kUnknown;
    const FitResult fit = fits_budget(core_.problem, budget, effort, &meter_);
    if (fit.answer == Answer::kNo) raise_bound(budget + 1);
    if (fit.answer == Answer::kYes) {
      Schedule schedule = core_.expand(fit.schedule);
      const Bytes value = peak(problem_, schedule);
      LOWTIDE_CHECK(value <= budget, "an order said to fit exceeds its budget");
      solution_.improve(Solution<Schedule>::found(std::move(schedule), value, solution_.bound()));
      raise_bound(solution_.bound());
    }
    return fit.answer;
  }

  // A better incumbent: half-way to the lowest budget that is still in question.
  void bisect(std::int64_t effort) {
    Bytes low = solution_.bound();
    for (int i = 0; i < kBisections && !done(); ++i) {
      low = std::max(low, solution_.bound());
      const Bytes middle = low + (solution_.value() - low) / 2 / unit_ * unit_;
      if (middle <= low) return;
      if (ask(middle, effort) == Answer::kUnknown) low = middle;
    }
  }

  const OrderProblem& problem_;
  Bytes unit_;
  Solution<Schedule> solution_;
  Meter meter_;
  Reduced core_;
};

}  // namespace

Solution<Schedule> exact_order(const OrderProblem& problem, Solution<Schedule> start,
                               const Limits& limits) {
  return ExactOrder(problem, std::move(start), limits).run();
}

}  // namespace lowtide
