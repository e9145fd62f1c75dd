#include "lowtide/model/order_problem.h"

#include <algorithm>
#include <numeric>

namespace lowtide {

Bytes own_bytes(const OrderProblem& problem, NodeId v) {
  Bytes bytes = problem.workspace_bytes[v];
  for (TensorId t : problem.outputs[v]) bytes += problem.bytes[t];
  return bytes;
}

bool is_unread_input(const OrderProblem& problem, TensorId t) {
  return problem.producer[t].is_none() && problem.consumers[t].empty() && !problem.kept[t];
}

Bytes unit_of(const OrderProblem& problem) {
  Bytes unit = 0;
  for (Bytes bytes : problem.bytes) unit = std::gcd(unit, bytes);
  for (Bytes bytes : problem.workspace_bytes) unit = std::gcd(unit, bytes);
  return std::max<Bytes>(unit, 1);
}

}  // namespace lowtide
