// The node bound (b): what node v needs at least, whatever the order, by one minimum cut.
//
// When v runs, the executed set D is a down-set that holds v's ancestors and neither v nor any
// descendant, and live(D) + outputs(v) + workspace(v) bytes are needed, less what v reuses in
// place. So every order needs
//
//     lb(v) = own(v) + min { live(D) - reused(v, D) : anc(v) <= D, D disjoint from v + desc(v) }
//
// v reuses bytes(fresh) if the other readers of `old` are all in D. Read as "bytes(fresh) are
// always reused, and charged back if one of these readers is not in D", it is one more tensor of
// the cut: made by the source, read by them. So live - reused is a cut function as well, and
// submodular.
#pragma once

#include <vector>

#include "lowtide/analysis/live_cut.h"
#include "lowtide/base/limits.h"

namespace lowtide {

class NodeCut {
 public:
  NodeCut(const OrderProblem& problem, NodeId v, Meter* meter);
  // `side`, `free`: known already: kIn for v's ancestors, kOut for v and its descendants.
  NodeCut(const OrderProblem& problem, NodeId v, Meter* meter, IdVector<NodeId, Side> side,
          std::vector<NodeId> free);

  // What v needs at least. Where the meter stops it or it reaches `enough`: a smaller, or another,
  // lower bound.
  Bytes run(Meter* meter, Bytes enough = MaxFlow::kInfinite);
  // Before a run: the reachability bound (a), for no network is built until then.
  Bytes bound() const { return bound_; }
  bool is_maximal() const { return cut_.is_maximal(); }

  // The nodes that are neither ancestors nor descendants of v.
  const std::vector<NodeId>& free_nodes() const { return free_; }
  Side side(NodeId u) const { return side_[u]; }

  // Of a maximal run: a down-set of that cost. True: it holds the node.
  IdVector<NodeId, std::uint8_t> minimiser(Minimiser which);

  // After a maximal run: what v needs at least if u runs before it (kIn) or after it (kOut). A
  // value of at least `enough` may be less than the exact one.
  Bytes bound_with(NodeId u, Side side, Meter* meter, Bytes enough) {
    return bound_ + cut_.run_forced(u, side, meter, enough - bound_);
  }
  // That one was exact; if so, a down-set of that cost, as flags for free_nodes().
  bool is_exact_with() const { return cut_.is_forced_maximal(); }
  std::vector<char> minimiser_with() const { return cut_.forced_minimiser(); }

 private:
  void mark(const Csr<NodeId, NodeId>& edges, NodeId from, Side side, Meter* meter);
  void build(Meter* meter);
  Bytes surely_needed(Meter* meter) const;
  bool may_take_effect(const Reuse& reuse) const;

  const OrderProblem* problem_;
  NodeId v_;
  IdVector<NodeId, Side> side_;
  std::vector<NodeId> free_;
  bool is_built_ = false;
  LiveCut cut_;
  Bytes bound_ = 0;
};

}  // namespace lowtide
