#include "lowtide/order/search/windows.h"

#include <algorithm>

#include "lowtide/model/lifetimes.h"
#include "lowtide/order/search/exact.h"
#include "lowtide/order/search/reduced.h"

namespace lowtide {
namespace {

constexpr std::size_t kFirstSize = 64;

class Windows {
 public:
  Windows(const OrderProblem& problem, Schedule order, std::int64_t effort, Meter* meter,
          Techniques use)
      : problem_(problem), order_(std::move(order)), effort_(effort), meter_(meter), use_(use) {
    use_.windows = false;
  }

  std::optional<Schedule> run() {
    const Bytes before = peak(problem_, order_);
    while (!meter_->stopped() && lower_first_peak()) {
    }
    if (peak(problem_, order_) >= before) return std::nullopt;
    return std::move(order_);
  }

 private:
  bool lower_first_peak() {
    const auto needed = profile(problem_, order_);
    const auto step =
        static_cast<std::size_t>(std::max_element(needed.begin(), needed.end()) - needed.begin());
    for (std::size_t size = kFirstSize; size / 2 < order_.size(); size += size / 2)
      for (std::size_t quarter : {2, 1, 3}) {
        const std::size_t back = size / 4 * quarter;
        const std::size_t begin = step > back ? step - back : 0;
        const std::size_t end = std::min(order_.size(), begin + size);
        if (end - begin == order_.size()) continue;
        if (meter_->stopped()) return false;
        if (lower(begin, end, needed[step])) return true;
      }
    return false;
  }

  // Solves the steps from `begin` to `end` anew; true if they need less than `highest` then.
  bool lower(std::size_t begin, std::size_t end, Bytes highest) {
    IdVector<NodeId, Part> part(problem_.num_nodes(), Part::kPiece);
    for (std::size_t i = 0; i < begin; ++i) part[order_[i]] = Part::kBefore;
    for (std::size_t i = end; i < order_.size(); ++i) part[order_[i]] = Part::kAfter;
    const Reduced piece = piece_between(problem_, part);
    meter_->spend(static_cast<std::int64_t>(problem_.num_nodes()));
    Schedule inner = piece.reduce(order_);
    const Bytes value = peak(piece.problem, inner);
    if (value > highest) return false;  // an open reuse that the piece cannot see
    const auto start = Solution<Schedule>::found(std::move(inner), value, 0);
    const Limits rest = meter_->rest();
    const std::int64_t steps = std::min(effort_, rest.steps());
    meter_->spend(steps);
    const auto solution = exact_order(piece.problem, start, rest.with_steps(steps), use_);
    if (solution.value() >= value) return false;
    const Schedule lowered = piece.expand(solution.best());
    std::copy(lowered.begin(), lowered.end(), order_.begin() + static_cast<std::ptrdiff_t>(begin));
    return true;
  }

  const OrderProblem& problem_;
  Schedule order_;
  std::int64_t effort_;
  Meter* meter_;
  Techniques use_;
};

}  // namespace

std::optional<Schedule> improve_in_windows(const OrderProblem& problem, Schedule order,
                                           std::int64_t effort, Meter* meter,
                                           const Techniques& use) {
  return Windows(problem, std::move(order), effort, meter, use).run();
}

}  // namespace lowtide
