#include "lowtide/order/propagate.h"

#include <algorithm>

#include "lowtide/analysis/node_cut.h"
#include "lowtide/order/contract.h"
#include "lowtide/order/set_walk.h"

namespace lowtide {
namespace {

constexpr int kMaxRounds = 4;

class Propagator {
 public:
  Propagator(const OrderProblem& problem, Bytes budget, Meter* meter)
      : problem_(problem),
        budget_(budget),
        meter_(meter),
        set_(problem),
        side_(problem.num_nodes(), Side::kFree),
        may_precede_(problem.num_nodes(), 0),
        may_follow_(problem.num_nodes(), 0) {}

  Implied run(const Schedule& guide) {
    for (NodeId v : guide) {
      if (meter_->stopped() || implied_.infeasible) break;
      look_at(v);
      set_.rewind(0);
      set_.insert(v);
      set_.settle();
    }
    return std::move(implied_);
  }

 private:
  // set_ is the prefix before v, and is left changed.
  void look_at(NodeId v) {
    find_sides(v);
    if (free_.empty() && set_.cost(v) <= budget_) return;
    std::optional<NodeCut> cut;
    if (set_.cost(v) > budget_) {
      if (!solve(v, &cut)) return;
      become(cut->minimiser(Minimiser::kSmallest));
    }
    for (NodeId u : free_) (set_.contains(u) ? may_precede_ : may_follow_)[u] = 1;
    grow(v);
    shrink(v);
    ask_flows(v, &cut);
  }

  void find_sides(NodeId v) {
    std::fill(side_.begin(), side_.end(), Side::kFree);
    mark(problem_.predecessors, v, Side::kIn);
    mark(problem_.successors, v, Side::kOut);
    side_[v] = Side::kOut;
    free_.clear();
    for (NodeId u : problem_.nodes()) {
      if (side_[u] != Side::kFree) continue;
      free_.push_back(u);
      may_precede_[u] = may_follow_[u] = 0;
    }
    meter_->spend(static_cast<std::int64_t>(problem_.num_nodes()));
  }
  void mark(const Csr<NodeId, NodeId>& edges, NodeId from, Side side) {
    stack_.assign(1, from);
    while (!stack_.empty()) {
      const NodeId u = stack_.back();
      stack_.pop_back();
      for (NodeId w : edges[u]) {
        if (side_[w] == side) continue;
        side_[w] = side;
        stack_.push_back(w);
      }
    }
  }

  // v's own minimum cut. False if it exceeds the budget, or the meter stopped it.
  bool solve(NodeId v, std::optional<NodeCut>* cut) {
    cut->emplace(problem_, v, meter_, side_, free_);
    implied_.infeasible = (*cut)->run(meter_) > budget_;
    return (*cut)->is_maximal() && !implied_.infeasible;
  }

  void become(const IdVector<NodeId, std::uint8_t>& wanted) {
    for (NodeId u : free_)
      if (set_.contains(u) != (wanted[u] != 0)) wanted[u] ? set_.insert(u) : set_.erase(u);
  }

  void grow(NodeId v) {
    const std::size_t start = set_.mark();
    for (NodeId u : free_) {
      if (meter_->stopped()) break;
      if (may_precede_[u]) continue;
      const std::size_t before = set_.mark();
      const auto added = add_closure(u, problem_.predecessors, true);
      if (set_.cost(v) > budget_)
        set_.rewind(before);
      else
        for (NodeId w : added) may_precede_[w] = 1;
    }
    set_.rewind(start);
  }
  void shrink(NodeId v) {
    for (std::size_t i = free_.size(); i-- > 0 && !meter_->stopped();) {
      const NodeId u = free_[i];
      if (may_follow_[u]) continue;
      const std::size_t before = set_.mark();
      const auto removed = add_closure(u, problem_.successors, false);
      if (set_.cost(v) > budget_)
        set_.rewind(before);
      else
        for (NodeId w : removed) may_follow_[w] = 1;
    }
  }
  // u and what it needs enter; or u and what needs it leave.
  std::vector<NodeId> add_closure(NodeId u, const Csr<NodeId, NodeId>& edges, bool enter) {
    const auto change = [&](NodeId w) { enter ? set_.insert(w) : set_.erase(w); };
    std::vector<NodeId> closure = {u};
    change(u);
    for (std::size_t i = 0; i < closure.size(); ++i) {
      for (NodeId w : edges[closure[i]]) {
        if (side_[w] != Side::kFree || set_.contains(w) == enter) continue;
        change(w);
        closure.push_back(w);
      }
    }
    meter_->spend(static_cast<std::int64_t>(2 * closure.size()));
    return closure;
  }

  // Those without a witness, first those whose edge implies most others: what follows v first from
  // the front, what precedes it from the back.
  void ask_flows(NodeId v, std::optional<NodeCut>* cut) {
    const auto missing = [&](const auto& witnessed) {
      return std::any_of(free_.begin(), free_.end(), [&](NodeId u) { return !witnessed[u]; });
    };
    if (!missing(may_precede_) && !missing(may_follow_)) return;
    if (!*cut && !solve(v, cut)) return;
    for (NodeId u : free_)
      if (!may_precede_[u] && is_excluded(**cut, u, Side::kIn)) {
        implied_.precedences.push_back({v, u});
        set_all(problem_.successors, u, &may_precede_);
      }
    for (std::size_t i = free_.size(); i-- > 0;)
      if (const NodeId u = free_[i]; !may_follow_[u] && is_excluded(**cut, u, Side::kOut)) {
        implied_.precedences.push_back({u, v});
        set_all(problem_.predecessors, u, &may_follow_);
      }
  }

  // No down-set with u on that side fits. If one does, it is a witness for other nodes too.
  bool is_excluded(const NodeCut& own, NodeId u, Side side) {
    if (meter_->stopped()) return false;
    NodeCut cut = own;
    cut.force(u, side);
    if (cut.run(meter_, budget_ - own.bound() + 1) > budget_) return true;
    if (!cut.is_maximal()) return false;
    const auto inside = cut.minimiser(Minimiser::kSmallest);
    for (NodeId w : free_) (inside[w] ? may_precede_ : may_follow_)[w] = 1;
    return false;
  }

  // The edge to u implies those to all that hang on it: no need to ask.
  void set_all(const Csr<NodeId, NodeId>& edges, NodeId u, IdVector<NodeId, std::uint8_t>* flags) {
    stack_.assign(1, u);
    while (!stack_.empty()) {
      const NodeId x = stack_.back();
      stack_.pop_back();
      for (NodeId w : edges[x]) {
        if (side_[w] != Side::kFree || (*flags)[w]) continue;
        (*flags)[w] = 1;
        stack_.push_back(w);
      }
    }
  }

  const OrderProblem& problem_;
  Bytes budget_;
  Meter* meter_;
  SetWalk set_;
  IdVector<NodeId, Side> side_;
  std::vector<NodeId> free_, stack_;
  IdVector<NodeId, std::uint8_t> may_precede_, may_follow_;
  Implied implied_;
};

}  // namespace

Implied implied_precedences(const OrderProblem& problem, Bytes budget, const Schedule& guide,
                            Meter* meter) {
  return Propagator(problem, budget, meter).run(guide);
}

std::optional<Reduced> tighten(const OrderProblem& problem, Bytes budget, const Schedule& guide,
                               Meter* meter) {
  Reduced result = piece_between(problem, IdVector<NodeId, Part>(problem.num_nodes(), Part::kPiece));
  for (int round = 0; round < kMaxRounds && !meter->stopped(); ++round) {
    const Implied implied =
        implied_precedences(result.problem, budget, result.reduce(guide), meter);
    if (implied.infeasible) return std::nullopt;
    if (implied.precedences.empty()) break;
    auto narrowed = with_precedences(result.problem, implied.precedences);
    if (!narrowed) return std::nullopt;
    result = compose(result, std::move(*narrowed));
    result = compose(result, contract(result.problem, meter));
  }
  return result;
}

}  // namespace lowtide
