#include "lowtide/order/search/branch.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "lowtide/analysis/lower_bounds.h"
#include "lowtide/analysis/node_cut.h"
#include "lowtide/order/search/propagate.h"

namespace lowtide {
namespace {

constexpr int kMaxDepth = 100;
constexpr int kMaxFlows = 100;     // to find the nodes with the least slack
constexpr std::size_t kAsked = 8;  // nodes that propagation asks

class Brancher {
 public:
  Brancher(Bytes budget, std::int64_t effort, Meter* meter, const Techniques& use)
      : budget_(budget), effort_(effort), meter_(meter), use_(use) {}

  FitResult run(const OrderProblem& problem, const Schedule& guide, int max_depth) {
    const auto sides = dearest_pair(problem, guide);
    if (sides.empty()) return {};
    for (const Precedence& side : sides) {
      FitResult found = run_side(problem, guide, side, max_depth);
      if (found.answer != Answer::kNo) return found;
    }
    return {Answer::kNo, {}};
  }

 private:
  FitResult run_side(const OrderProblem& problem, const Schedule& guide, const Precedence& side,
                     int max_depth) {
    if (max_depth == 0 || meter_->stopped()) return {};
    auto narrowed = with_precedences(problem, {side});
    if (!narrowed) return {Answer::kNo, {}};
    auto tight = tighten(narrowed->problem, budget_, narrowed->reduce(guide), kAsked, meter_, use_);
    if (!tight) return {Answer::kNo, {}};
    const Reduced piece = compose(*narrowed, std::move(*tight));
    const Schedule inner = piece.reduce(guide);
    FitResult found = fits_budget(piece.problem, budget_, inner, effort_, meter_, use_);
    if (found.answer == Answer::kUnknown) found = run(piece.problem, inner, max_depth - 1);
    found.schedule = piece.expand(found.schedule);
    return found;
  }

  // Of the node with the least slack that has one: the dearer side first. Empty if there is none,
  // or the meter stopped it.
  std::vector<Precedence> dearest_pair(const OrderProblem& problem, const Schedule& guide) {
    NodeBounds bounds(problem);
    bounds.raise(guide, kMaxFlows, meter_);
    Schedule nodes = guide;
    std::stable_sort(nodes.begin(), nodes.end(),
                     [&](NodeId a, NodeId b) { return bounds.at_most(a) > bounds.at_most(b); });
    for (NodeId v : nodes) {
      if (meter_->stopped()) break;
      auto sides = dearest_pair_of(problem, v);
      if (!sides.empty()) return sides;
    }
    return {};
  }

  std::vector<Precedence> dearest_pair_of(const OrderProblem& problem, NodeId v) {
    NodeCut cut(problem, v, meter_);
    cut.run(meter_);
    std::vector<Precedence> sides;
    if (!cut.is_maximal()) return sides;
    std::pair<Bytes, Bytes> dearest(-1, -1);
    for (NodeId u : cut.free_nodes()) {
      const Bytes before = cut.bound_with(u, Side::kIn, meter_, budget_ + 1);
      const Bytes after = cut.bound_with(u, Side::kOut, meter_, budget_ + 1);
      if (meter_->stopped()) return {};
      const auto costs = std::minmax(before, after);
      if (std::pair<Bytes, Bytes>(costs) <= dearest) continue;
      dearest = costs;
      sides = {{u, v}, {v, u}};
      if (after > before) std::swap(sides[0], sides[1]);
    }
    return sides;
  }

  Bytes budget_;
  std::int64_t effort_;
  Meter* meter_;
  Techniques use_;
};

}  // namespace

FitResult branch_within(const OrderProblem& problem, Bytes budget, const Schedule& guide,
                        std::int64_t effort, Meter* meter, const Techniques& use) {
  return Brancher(budget, effort, meter, use).run(problem, guide, kMaxDepth);
}

}  // namespace lowtide
