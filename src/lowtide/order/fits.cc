#include "lowtide/order/fits.h"

#include "lowtide/order/bottleneck.h"

namespace lowtide {
namespace {

void append_runs(const CoreProblem& core, const std::vector<int>& nodes,
                 std::vector<NodeId>* schedule) {
  for (int v : nodes) {
    const auto& run = core.run[static_cast<std::size_t>(v)];
    schedule->insert(schedule->end(), run.begin(), run.end());
  }
}

class Fitter {
 public:
  Fitter(Bytes budget, std::int64_t effort, Meter* meter)
      : budget_(budget), effort_(effort), meter_(meter) {}

  FitResult run(CoreProblem piece, int depth) {
    std::vector<NodeId> prefix;
    std::vector<NodeId> suffix;
    const auto whole = [&](const std::vector<NodeId>& middle) {
      std::vector<NodeId> schedule = prefix;
      schedule.insert(schedule.end(), middle.begin(), middle.end());
      schedule.insert(schedule.end(), suffix.begin(), suffix.end());
      return FitResult{Answer::kYes, std::move(schedule)};
    };
    // From both ends in turn, as long as a search leaves less for the next.
    int idle = 0;
    for (Direction direction = Direction::kForward; idle < 2 && !meter_->stopped();
         direction = other(direction)) {
      const SearchResult found = search(piece, direction);
      if (found.answer == Answer::kNo) return {Answer::kNo, {}};
      std::vector<NodeId> runs;
      append_runs(piece, found.nodes, &runs);
      if (found.answer == Answer::kYes) return whole(runs);
      idle = found.nodes.empty() ? idle + 1 : 0;
      if (direction == Direction::kForward)
        prefix.insert(prefix.end(), runs.begin(), runs.end());
      else
        suffix.insert(suffix.begin(), runs.begin(), runs.end());
      if (!found.nodes.empty()) piece = without(piece, found.nodes, direction);
    }
    if (meter_->stopped() || depth >= kMaxDepth) return {};
    const FitResult middle = divide(piece, depth);
    return middle.answer == Answer::kYes ? whole(middle.schedule) : middle;
  }

 private:
  static constexpr int kMaxDepth = 40;
  static constexpr int kMostFlows = 24;

  static Direction other(Direction direction) {
    return direction == Direction::kForward ? Direction::kBackward : Direction::kForward;
  }

  SearchResult search(const CoreProblem& piece, Direction direction) {
    Meter part(meter_->rest().with_steps(effort_));
    SearchResult found = search_budget(piece, budget_, direction, &part);
    meter_->spend(part.used());
    return found;
  }

  static CoreProblem without(const CoreProblem& piece, const std::vector<int>& nodes,
                             Direction direction) {
    std::vector<char> side(piece.need.size(), 1);
    for (int v : nodes)
      side[static_cast<std::size_t>(v)] = direction == Direction::kForward ? 0 : 2;
    return piece_of(piece, side);
  }

  // Run the bottleneck right after its cheapest down-set: an order of the two halves, if both fit.
  FitResult divide(const CoreProblem& piece, int depth) {
    const Bottleneck bottleneck = find_bottleneck(piece, kMostFlows, meter_);
    if (bottleneck.node < 0) return {};
    if (bottleneck.bound > budget_) return {Answer::kNo, {}};
    std::vector<char> first(piece.need.size());
    std::vector<char> second(piece.need.size());
    std::size_t num_first = 0;
    for (std::size_t v = 0; v < first.size(); ++v) {
      first[v] = bottleneck.before[v] ? 1 : 2;
      second[v] = bottleneck.before[v] ? 0 : 1;
      num_first += bottleneck.before[v] ? 1 : 0;
    }
    second[static_cast<std::size_t>(bottleneck.node)] = 0;
    if (first.size() < 3 || meter_->stopped()) return {};
    FitResult before =
        num_first == 0 ? FitResult{Answer::kYes, {}} : run(piece_of(piece, first), depth + 1);
    if (before.answer != Answer::kYes) return {};
    FitResult after = num_first + 1 == first.size() ? FitResult{Answer::kYes, {}}
                                                    : run(piece_of(piece, second), depth + 1);
    if (after.answer != Answer::kYes) return {};
    append_runs(piece, {bottleneck.node}, &before.schedule);
    before.schedule.insert(before.schedule.end(), after.schedule.begin(), after.schedule.end());
    return before;
  }

  Bytes budget_;
  std::int64_t effort_;
  Meter* meter_;
};

}  // namespace

FitResult fits_budget(const CoreProblem& core, Bytes budget, std::int64_t effort, Meter* meter) {
  return Fitter(budget, effort, meter).run(core, 0);
}

}  // namespace lowtide
