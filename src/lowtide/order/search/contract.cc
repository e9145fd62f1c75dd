#include "lowtide/order/search/contract.h"

#include <algorithm>

#include "lowtide/analysis/reachability.h"
#include "lowtide/order/search/merged_nodes.h"
#include "lowtide/order/search/settle_reuse.h"

namespace lowtide {
namespace {

constexpr std::int64_t kReachabilityBytes = 40'000'000;  // bitsets up to 17 900 nodes
constexpr std::int64_t kReachabilityShare = 8;           // of the memory
constexpr int kMaxReadersAsked = 32;
constexpr int kMaxPasses = 60;

class Contractor {
 public:
  Contractor(const OrderProblem& problem, const Reachability& reach, Meter* meter)
      : problem_(problem), reach_(reach), meter_(meter), nodes_(problem), frozen_(frozen_nodes()) {}

  std::optional<Reduced> run() {
    bool changed = true;
    for (int pass = 0; changed && pass < kMaxPasses && !meter_->stopped(); ++pass) {
      changed = false;
      for (std::size_t i = problem_.num_nodes(); i-- > 0;)
        changed |= may_move(i) && try_lazy(NodeId(i));
      for (std::size_t i = 0; i < problem_.num_nodes(); ++i)
        changed |= may_move(i) && try_eager(NodeId(i));
    }
    if (meter_->stopped()) return std::nullopt;
    return nodes_.survivors(meter_);
  }

 private:
  IdVector<NodeId, std::uint8_t> frozen_nodes() const {
    IdVector<NodeId, std::uint8_t> frozen(problem_.num_nodes(), 0);
    for (NodeId v : problem_.nodes())
      for (const Reuse& reuse : problem_.reuses[v])
        for (NodeId c : problem_.consumers[reuse.old]) frozen[c] = 1;
    return frozen;
  }
  bool may_move(std::size_t i) const {
    return !nodes_.is_merged(NodeId(i)) && !frozen_[NodeId(i)] && !meter_->stopped();
  }

  // The successor that reaches all others, or none(). Numbers are topological: it is the smallest.
  NodeId only_minimal_successor(NodeId v) {
    const auto& successors = nodes_.successors(v);
    meter_->spend(static_cast<std::int64_t>(1 + successors.size()));
    if (successors.empty()) return NodeId::none();
    const NodeId w = *std::min_element(successors.begin(), successors.end());
    const bool reaches_all = std::all_of(successors.begin(), successors.end(),
                                         [&](NodeId s) { return s == w || reach_.reaches(w, s); });
    return reaches_all ? w : NodeId::none();
  }
  NodeId only_maximal_predecessor(NodeId v) {
    const auto& predecessors = nodes_.predecessors(v);
    meter_->spend(static_cast<std::int64_t>(1 + predecessors.size()));
    if (predecessors.empty()) return NodeId::none();
    const NodeId u = *std::max_element(predecessors.begin(), predecessors.end());
    const bool reached_by_all =
        std::all_of(predecessors.begin(), predecessors.end(),
                    [&](NodeId p) { return p == u || reach_.reaches(p, u); });
    return reached_by_all ? u : NodeId::none();
  }

  bool frees_nothing(NodeId v) {
    bool nothing = true;
    nodes_.for_each_input(v, [&](TensorId t) { return nothing = stays_live(t, v); });
    return nothing;
  }
  // Whether v, or nobody, makes t, or it surely has a reader after v. The latest readers are asked:
  // they are the likeliest.
  bool stays_live(TensorId t, NodeId v) {
    const NodeId producer = problem_.producer[t];
    if (problem_.kept[t] || (!producer.is_none() && nodes_.find(producer) == v)) return true;
    const auto consumers = problem_.consumers[t];
    int asked = 0;
    for (std::size_t i = consumers.size(); i-- > 0 && asked < kMaxReadersAsked; ++asked) {
      const NodeId reader = nodes_.find(consumers[i]);
      if (reader != v && reach_.reaches(v, reader)) return true;
    }
    meter_->spend(asked);
    return false;
  }

  bool try_lazy(NodeId v) {
    const NodeId w = only_minimal_successor(v);
    if (w.is_none() || frozen_[w]) return false;
    const Bytes together = nodes_.surviving(v) + nodes_.need(w);
    if (nodes_.need(v) > together || !frees_nothing(v)) return false;
    nodes_.merge_before(v, w, together);
    return true;
  }

  bool try_eager(NodeId v) {
    if (nodes_.surviving(v) > nodes_.only_read_by(v)) return false;
    const NodeId u = only_maximal_predecessor(v);
    if (u.is_none() || frozen_[u]) return false;
    const Bytes at_v = nodes_.surviving(u) - nodes_.only_read_by(u) + nodes_.need(v);
    if (at_v > nodes_.need(u)) return false;
    nodes_.merge_after(v, u, nodes_.need(u));
    return true;
  }

  const OrderProblem& problem_;
  const Reachability& reach_;
  Meter* meter_;
  MergedNodes nodes_;
  IdVector<NodeId, std::uint8_t> frozen_;
};

}  // namespace

std::optional<Reduced> contract(const OrderProblem& problem, Meter* meter, const Techniques& use) {
  if (!use.contraction) return unreduced(problem);
  const auto bytes =
      std::min(kReachabilityBytes, meter->limits().memory_bytes() / kReachabilityShare);
  const Reachability reach(problem.predecessors, problem.successors, bytes, meter);
  if (meter->stopped()) return std::nullopt;
  if (problem.reuses.num_items() == 0) return Contractor(problem, reach, meter).run();
  const OrderProblem settled = settle_reuses(problem, reach);
  return Contractor(settled, reach, meter).run();
}

}  // namespace lowtide
