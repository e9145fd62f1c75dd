#include "lowtide/order/search/propagate.h"

#include <algorithm>
#include <functional>
#include <span>

#include "lowtide/analysis/lower_bounds.h"
#include "lowtide/analysis/node_cut.h"
#include "lowtide/analysis/set_walk.h"
#include "lowtide/base/parallel.h"
#include "lowtide/order/search/contract.h"

namespace lowtide {
namespace {

constexpr int kMaxRounds = 4;
// Tries for a witness that fail in a row, in a heap and one by one: then flows are cheaper.
constexpr int kMaxFailuresInHeap = 8;
constexpr int kMaxFailures = 32;
constexpr int kMaxFlows = 100;  // to find the nodes with the least slack
// The guide is looked at in parts, on several threads if there are any.
constexpr std::size_t kNodesAPart = 4;
constexpr std::size_t kMaxParts = 16;

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

  // `asked`: ascending places in the guide, of the nodes that are asked.
  Implied run(const Schedule& guide, std::span<const std::size_t> asked) {
    guide_ = &guide;
    std::size_t at = 0;
    for (const std::size_t place : asked) {
      if (meter_->stopped() || implied_.infeasible) break;
      for (; at < place; ++at) set_.insert(guide[at]);
      set_.settle();
      look_at(guide[place], place);
      set_.rewind(0);
    }
    return std::move(implied_);
  }

 private:
  // set_ is the prefix of the guide before v, at its place there; and is left changed.
  void look_at(NodeId v, std::size_t at) {
    find_sides(v);
    const bool fits = set_.cost(v) <= budget_;
    if (free_.empty() && fits) return;
    if (fits) witness_all();
    try_later_prefixes(v, at);
    try_earlier_prefixes(v, at);
    if (!any_missing()) return;
    if (fits) {
      vary(v, true);
      vary(v, false);
      if (!any_missing()) return;
    }
    NodeCut cut(problem_, v, meter_, side_, free_);
    implied_.infeasible = cut.run(meter_) > budget_;
    if (!cut.is_maximal() || implied_.infeasible) return;
    become(cut.minimiser(Minimiser::kLargest));
    witness_all();
    vary(v, true);
    become(cut.minimiser(Minimiser::kSmallest));
    witness_all();
    vary(v, false);
    ask_flows(v, &cut);
  }

  // set_ fits: a witness for everybody.
  void witness_all() {
    for (NodeId u : free_) (set_.contains(u) ? may_precede_ : may_follow_)[u] = 1;
  }
  bool any_missing() const {
    return std::any_of(free_.begin(), free_.end(),
                       [&](NodeId u) { return !may_precede_[u] || !may_follow_[u]; });
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

  void become(const IdVector<NodeId, std::uint8_t>& wanted) {
    for (NodeId u : free_)
      if (set_.contains(u) != (wanted[u] != 0)) wanted[u] ? set_.insert(u) : set_.erase(u);
  }

  // The guide's other prefixes, with v's ancestors and without v's descendants, are down-sets that
  // v can run after: a good order passes through cheap sets. Of those that fit, the longest shows
  // what may precede v, the shortest what may follow.
  void try_later_prefixes(NodeId v, std::size_t at) {
    const std::size_t start = set_.mark();
    std::size_t tried = at + 1;
    for (std::size_t i = at + 1; i < guide_->size(); ++i) {
      const NodeId w = (*guide_)[i];
      if (side_[w] != Side::kFree) continue;
      set_.insert(w);
      if (set_.cost(v) > budget_) continue;
      for (; tried <= i; ++tried) may_precede_[(*guide_)[tried]] = 1;
    }
    meter_->spend(static_cast<std::int64_t>(2 * (guide_->size() - at)));
    set_.rewind(start);
  }
  void try_earlier_prefixes(NodeId v, std::size_t at) {
    const std::size_t start = set_.mark();
    std::size_t tried = at;
    for (std::size_t i = at; i-- > 0;) {
      const NodeId w = (*guide_)[i];
      if (side_[w] != Side::kFree) continue;
      set_.erase(w);
      if (set_.cost(v) > budget_) continue;
      while (tried > i) may_follow_[(*guide_)[--tried]] = 1;
    }
    meter_->spend(static_cast<std::int64_t>(2 * at));
    set_.rewind(start);
  }

  // Looks for witnesses near set_, which fits: larger ones if `enter`, else smaller ones. First
  // heaping up all that still fits, then for each node that misses a witness from set_ alone.
  void vary(NodeId v, bool enter) {
    const std::size_t start = set_.mark();
    auto& witnessed = enter ? may_precede_ : may_follow_;
    for (const bool heap : {true, false}) {
      const int most = heap ? kMaxFailuresInHeap : kMaxFailures;
      int failures = 0;
      for (std::size_t i = 0; i < free_.size() && failures < most && !meter_->stopped(); ++i) {
        const NodeId u = free_[enter ? i : free_.size() - 1 - i];
        if (witnessed[u] || set_.contains(u) == enter) continue;
        const std::size_t before = set_.mark();
        const bool fits = changes_and_fits(v, u, enter);
        if (fits)
          for (NodeId w : changed_) witnessed[w] = 1;
        failures = fits ? 0 : failures + 1;
        if (!fits || !heap) set_.rewind(before);
      }
      set_.rewind(start);
    }
  }

  // u and what it needs enter; or u and what needs it leave. If that is too dear, so does whatever
  // makes it cheaper at once (a free move never harms). changed_: the nodes.
  bool changes_and_fits(NodeId v, NodeId u, bool enter) {
    const auto& needed = enter ? problem_.predecessors : problem_.successors;
    changed_.assign(1, u);
    change(u, enter);
    for (std::size_t i = 0; i < changed_.size(); ++i)
      for (NodeId w : needed[changed_[i]])
        if (side_[w] == Side::kFree && set_.contains(w) != enter) {
          change(w, enter);
          changed_.push_back(w);
        }
    meter_->spend(static_cast<std::int64_t>(2 * changed_.size()));
    if (set_.cost(v) > budget_) take_free_moves(v, enter);
    return set_.cost(v) <= budget_;
  }
  void change(NodeId w, bool enter) { enter ? set_.insert(w) : set_.erase(w); }

  void take_free_moves(NodeId v, bool enter) {
    const auto& needed = enter ? problem_.predecessors : problem_.successors;
    const auto& next = enter ? problem_.successors : problem_.predecessors;
    for (std::size_t i = 0; i < changed_.size() && set_.cost(v) > budget_; ++i) {
      for (NodeId w : next[changed_[i]]) {
        meter_->spend(2);
        if (side_[w] != Side::kFree || set_.contains(w) == enter) continue;
        if (std::any_of(needed[w].begin(), needed[w].end(), [&](NodeId x) {
              return set_.contains(x) != enter && side_[x] == Side::kFree;
            }))
          continue;
        const std::size_t before = set_.mark();
        const Bytes cost = set_.cost(v);
        change(w, enter);
        if (set_.cost(v) <= cost)
          changed_.push_back(w);
        else
          set_.rewind(before);
      }
    }
  }

  // Those without a witness, first those whose edge implies most others: what follows v first from
  // the front, what precedes it from the back.
  void ask_flows(NodeId v, NodeCut* cut) {
    for (NodeId u : free_)
      if (!may_precede_[u] && is_excluded(cut, u, Side::kIn)) {
        implied_.precedences.push_back({v, u});
        set_all(problem_.successors, u, &may_precede_);
      }
    for (std::size_t i = free_.size(); i-- > 0;)
      if (const NodeId u = free_[i]; !may_follow_[u] && is_excluded(cut, u, Side::kOut)) {
        implied_.precedences.push_back({u, v});
        set_all(problem_.predecessors, u, &may_follow_);
      }
  }

  // No down-set with u on that side fits. If one does, it is a witness for other nodes too.
  bool is_excluded(NodeCut* cut, NodeId u, Side side) {
    if (meter_->stopped()) return false;
    if (cut->bound_with(u, side, meter_, budget_ + 1) > budget_) return true;
    if (!cut->is_exact_with()) return false;
    const auto inside = cut->minimiser_with();
    for (std::size_t i = 0; i < free_.size(); ++i)
      (inside[i] ? may_precede_ : may_follow_)[free_[i]] = 1;
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
  const Schedule* guide_ = nullptr;
  SetWalk set_;
  IdVector<NodeId, Side> side_;
  std::vector<NodeId> free_, stack_, changed_;
  IdVector<NodeId, std::uint8_t> may_precede_, may_follow_;
  Implied implied_;
};

// The places of the n largest values, and of those level with them; ascending.
std::vector<std::size_t> places_of_largest(const std::vector<Bytes>& values, std::size_t n) {
  Bytes least = 0;
  if (n < values.size()) {
    auto sorted = values;
    const auto nth = sorted.begin() + static_cast<std::ptrdiff_t>(n - 1);
    std::nth_element(sorted.begin(), nth, sorted.end(), std::greater<>());
    least = *nth;
  }
  std::vector<std::size_t> places;
  for (std::size_t at = 0; at < values.size(); ++at)
    if (values[at] >= least) places.push_back(at);
  return places;
}

}  // namespace

Implied implied_precedences(const OrderProblem& problem, Bytes budget, const Schedule& guide,
                            std::size_t max_nodes, Meter* meter) {
  NodeBounds bounds(problem);
  bounds.raise(guide, kMaxFlows, meter);
  if (bounds.best() > budget) return {true, {}};
  std::vector<Bytes>
      urgency;  // by place in the guide: what the node needs at least, or at most that
  for (NodeId v : guide) urgency.push_back(bounds.at_most(v));
  const auto asked = places_of_largest(urgency, max_nodes);
  const std::size_t parts = std::clamp<std::size_t>(asked.size() / kNodesAPart, 1, kMaxParts);
  const auto first = [&](std::size_t part) { return asked.size() * part / parts; };
  std::vector<Implied> found(parts);
  const std::size_t counted = in_order(meter, parts, [&](std::size_t i, Meter* own) {
    found[i] = Propagator(problem, budget, own)
                   .run(guide, std::span(asked).subspan(first(i), first(i + 1) - first(i)));
    return !found[i].infeasible;
  });
  Implied all;
  for (std::size_t i = 0; i < counted; ++i) {
    all.infeasible |= found[i].infeasible;
    all.precedences.insert(all.precedences.end(), found[i].precedences.begin(),
                           found[i].precedences.end());
  }
  return all;
}

std::optional<Reduced> tighten(const OrderProblem& problem, Bytes budget, const Schedule& guide,
                               std::size_t max_nodes, Meter* meter, const Techniques& use) {
  Reduced result = unreduced(problem);
  for (int round = 0; round < kMaxRounds && !meter->stopped(); ++round) {
    const Implied implied =
        implied_precedences(result.problem, budget, result.reduce(guide), max_nodes, meter);
    if (implied.infeasible) return std::nullopt;
    if (implied.precedences.empty()) break;
    auto narrowed = with_precedences(result.problem, implied.precedences);
    if (!narrowed) return std::nullopt;
    result = compose(result, std::move(*narrowed));
    auto contracted = contract(result.problem, meter, use);
    if (contracted) result = compose(result, std::move(*contracted));
  }
  return result;
}

}  // namespace lowtide
