#include "lowtide/order/search/settle_reuse.h"

#include <algorithm>

namespace lowtide {
namespace {

enum class Effect { kAlways, kNever, kOpen };

Effect effect_of(const OrderProblem& problem, NodeId v, const Reuse& reuse,
                 const Reachability& reach) {
  if (problem.kept[reuse.old]) return Effect::kNever;
  bool always = true;
  for (NodeId c : problem.consumers[reuse.old]) {
    if (c == v || reach.reaches(c, v)) continue;
    if (reach.reaches(v, c)) return Effect::kNever;
    always = false;
  }
  return always ? Effect::kAlways : Effect::kOpen;
}

}  // namespace

OrderProblem settle_reuses(OrderProblem problem, const Reachability& reach) {
  Csr<NodeId, Reuse> open;
  std::vector<Reuse> row;
  for (NodeId v : problem.nodes()) {
    row.clear();
    for (const Reuse& reuse : problem.reuses[v]) {
      const Effect effect = effect_of(problem, v, reuse, reach);
      if (effect == Effect::kAlways) problem.workspace_bytes[v] -= problem.bytes[reuse.fresh];
      if (effect == Effect::kOpen) row.push_back(reuse);
    }
    open.push_row(row);
  }
  problem.reuses = std::move(open);
  return problem;
}

}  // namespace lowtide
