// Visits every legal order of a small problem.
#pragma once

#include <algorithm>
#include <functional>

#include "lowtide/graph/plan.h"
#include "lowtide/model/order_problem.h"

namespace lowtide::testing {

inline void for_every_order(const OrderProblem& problem,
                            const std::function<void(const Schedule&)>& visit) {
  Schedule schedule;
  IdVector<NodeId, std::uint8_t> done(problem.num_nodes(), 0);
  const std::function<void()> extend = [&] {
    if (schedule.size() == problem.num_nodes()) visit(schedule);
    for (NodeId v : problem.nodes()) {
      const auto before = problem.predecessors[v];
      if (done[v] || !std::all_of(before.begin(), before.end(), [&](NodeId u) { return done[u]; }))
        continue;
      done[v] = 1;
      schedule.push_back(v);
      extend();
      schedule.pop_back();
      done[v] = 0;
    }
  };
  extend();
}

}  // namespace lowtide::testing
