#include "fuzz/targets.h"

namespace lowtide::fuzz {

std::span<const Target> targets() {
  static constexpr Target kTargets[] = {
      {"graph", graph_file},
      {"plan", plan_file},
      {"buffers", buffers_file},
      {"generated", generated_graph},
  };
  return kTargets;
}

}  // namespace lowtide::fuzz
