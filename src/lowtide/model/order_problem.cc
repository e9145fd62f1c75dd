#include "lowtide/model/order_problem.h"

namespace lowtide {

Bytes own_bytes(const OrderProblem& problem, NodeId v) {
  Bytes bytes = problem.workspace_bytes[v];
  for (TensorId t : problem.outputs[v]) bytes += problem.bytes[t];
  return bytes;
}

}  // namespace lowtide
