#include "lowtide/order/search/fits.h"

#include "lowtide/analysis/lower_bounds.h"
#include "lowtide/analysis/node_cut.h"
#include "lowtide/base/parallel.h"
#include "lowtide/model/lifetimes.h"
#include "lowtide/order/search/contract.h"
#include "lowtide/order/search/follow.h"
#include "lowtide/order/search/reduced.h"

namespace lowtide {
namespace {

constexpr int kMaxDepth = 40;
constexpr int kMaxFlows = 100;           // to find a bottleneck
constexpr std::int64_t kTableShare = 8;  // of the memory

Schedule joined(std::initializer_list<const Schedule*> parts) {
  Schedule whole;
  for (const Schedule* part : parts) whole.insert(whole.end(), part->begin(), part->end());
  return whole;
}

class Fitter {
 public:
  Fitter(Bytes budget, std::int64_t effort, Meter* meter, const Techniques& use)
      : budget_(budget), effort_(effort), meter_(meter), use_(use) {}

  // max_depth 0: no division.
  FitResult run(const OrderProblem& problem, const Schedule& guide, int max_depth) {
    Narrowed middle = {{}, {}, unreduced(problem)};
    const Answer answer = narrow(&middle);
    if (answer != Answer::kUnknown) return {answer, std::move(middle.before)};
    if (meter_->stopped() || max_depth == 0) return {};
    auto contracted = contract(middle.piece.problem, meter_, use_);
    if (!contracted) return {};
    middle.piece = compose(middle.piece, std::move(*contracted));
    FitResult found = follow_or_divide(middle.piece.problem, middle.piece.reduce(guide), max_depth);
    if (found.answer != Answer::kYes) return found;
    const Schedule inner = middle.piece.expand(found.schedule);
    return {Answer::kYes, joined({&middle.before, &inner, &middle.after})};
  }

 private:
  // What the permanent commits from both ends leave.
  struct Narrowed {
    Schedule before, after;
    Reduced piece;
  };

  bool may_go(Direction direction, const OrderProblem& problem) const {
    return direction == Direction::kForward || (use_.backward && problem.reuses.num_items() == 0);
  }

  // Searches from both ends in turn, as long as one leaves less for the next. kYes: the whole order
  // is in `before`.
  Answer narrow(Narrowed* middle) {
    const bool both_ways = may_go(Direction::kBackward, middle->piece.problem);
    int idle = both_ways ? 0 : 1;
    for (Direction direction = Direction::kForward; idle < 2 && !meter_->stopped();) {
      const SearchResult found = search(middle->piece.problem, direction);
      if (found.answer == Answer::kNo) return Answer::kNo;
      const Schedule nodes = middle->piece.expand(found.nodes);
      if (found.answer == Answer::kYes) {
        middle->before = joined({&middle->before, &nodes, &middle->after});
        return Answer::kYes;
      }
      if (meter_->stopped()) break;  // nobody will look at what is left
      idle = nodes.empty() ? idle + 1 : both_ways ? 0 : 1;
      if (!nodes.empty()) take_off(found.nodes, nodes, direction, middle);
      if (both_ways) direction = opposite(direction);
    }
    return Answer::kUnknown;
  }

  SearchResult search(const OrderProblem& problem, Direction direction) {
    const auto table_bytes = meter_->limits().memory_bytes() / kTableShare;
    return meter_->within(effort_, [&](Meter* part) {
      return search_budget(problem, budget_, direction, table_bytes, part, use_);
    });
  }

  // `taken`: nodes of the piece; `nodes`: what they stand for.
  static void take_off(const Schedule& taken, const Schedule& nodes, Direction direction,
                       Narrowed* middle) {
    const bool forward = direction == Direction::kForward;
    IdVector<NodeId, Part> part(middle->piece.problem.num_nodes(), Part::kPiece);
    for (NodeId v : taken) part[v] = forward ? Part::kBefore : Part::kAfter;
    if (forward)
      middle->before = joined({&middle->before, &nodes});
    else
      middle->after = joined({&nodes, &middle->after});
    middle->piece = compose(middle->piece, piece_between(middle->piece.problem, part));
  }

  FitResult follow_or_divide(const OrderProblem& problem, Schedule guide, int max_depth) {
    Bytes least = peak(problem, guide);
    for (const Direction direction : {Direction::kBackward, Direction::kForward}) {
      if (least <= budget_) return {Answer::kYes, std::move(guide)};
      if (!use_.follow || !may_go(direction, problem)) continue;
      Schedule ranking = guide;
      if (direction == Direction::kBackward) std::reverse(ranking.begin(), ranking.end());
      auto order = follow(problem, ranking, {budget_, least}, direction, meter_);
      if (meter_->stopped()) return {};
      if (!order) continue;
      least = peak(problem, *order);
      guide = std::move(*order);
    }
    if (least <= budget_) return {Answer::kYes, std::move(guide)};
    return divide(problem, guide, max_depth);
  }

  // Run the bottleneck right after its cheapest down-set: an order of the two halves, if both fit.
  FitResult divide(const OrderProblem& problem, const Schedule& guide, int max_depth) {
    NodeBounds bounds(problem);
    bounds.raise(guide, kMaxFlows, meter_);
    if (bounds.best() > budget_) return {Answer::kNo, {}};
    if (bounds.node().is_none() || meter_->stopped()) return {};
    NodeCut cut(problem, bounds.node(), meter_);
    cut.run(meter_);
    if (!cut.is_maximal()) return {};
    const auto inside = cut.minimiser(Minimiser::kSmallest);
    IdVector<NodeId, Part> first(problem.num_nodes(), Part::kAfter);
    IdVector<NodeId, Part> second(problem.num_nodes(), Part::kPiece);
    for (NodeId v : problem.nodes()) {
      if (!inside[v]) continue;
      first[v] = Part::kPiece;
      second[v] = Part::kBefore;
    }
    second[bounds.node()] = Part::kBefore;
    const Reduced halves[] = {piece_between(problem, first), piece_between(problem, second)};
    FitResult fits[2];
    const std::size_t counted = in_order(meter_, 2, [&](std::size_t i, Meter* own) {
      fits[i] = Fitter(budget_, effort_, own, use_).run_half(halves[i], guide, max_depth);
      return fits[i].answer == Answer::kYes;
    });
    if (counted < 2 || fits[1].answer != Answer::kYes) return {};
    const Schedule at = {bounds.node()};
    return {Answer::kYes, joined({&fits[0].schedule, &at, &fits[1].schedule})};
  }

  FitResult run_half(const Reduced& half, const Schedule& guide, int max_depth) {
    if (half.problem.num_nodes() == 0) return {Answer::kYes, {}};
    FitResult found = run(half.problem, half.reduce(guide), max_depth - 1);
    found.schedule = half.expand(found.schedule);
    return found;
  }

  Bytes budget_;
  std::int64_t effort_;
  Meter* meter_;
  Techniques use_;
};

}  // namespace

FitResult fits_budget(const OrderProblem& problem, Bytes budget, const Schedule& guide,
                      std::int64_t effort, Meter* meter, const Techniques& use) {
  return Fitter(budget, effort, meter, use).run(problem, guide, use.division ? kMaxDepth : 0);
}

FitResult search_both_ways(const OrderProblem& problem, Bytes budget, std::int64_t effort,
                           Meter* meter, const Techniques& use) {
  return Fitter(budget, effort, meter, use).run(problem, {}, 0);
}

}  // namespace lowtide
