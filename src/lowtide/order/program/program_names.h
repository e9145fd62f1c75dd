// How an integer program's variables and rows call nodes and tensors; an order problem has only
// numbers.
#pragma once

#include <functional>
#include <string>

#include "lowtide/model/order_problem.h"

namespace lowtide {

struct ProgramNames {
  std::function<std::string(NodeId)> node = [](NodeId v) {
    return "n" + std::to_string(v.index());
  };
  std::function<std::string(TensorId)> tensor = [](TensorId t) {
    return "t" + std::to_string(t.index());
  };
};

}  // namespace lowtide
