// The cheapest down-set between two: min { live(T) : lower <= T <= upper }, by one minimum cut.
//
//   producer --bytes--> tensor --inf--> each consumer;   node --inf--> each predecessor
//   lower: the source, the complement of upper: the sink (see analysis/lower_bounds.h).
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "lowtide/analysis/max_flow.h"
#include "lowtide/base/limits.h"
#include "lowtide/order/core_problem.h"

namespace lowtide {

enum class Minimiser { kSmallest, kLargest };
enum class CutSide : char { kIn, kFree, kOut };  // in `lower`; to be decided; not in `upper`

// Of `free_nodes`, those in the minimiser, as flags in the same order. side(v) must say kFree for
// exactly these. Cost: one flow on a network of the free nodes and their tensors.
template <class SideOf>
std::vector<char> cheapest_down_set(const CoreProblem& core, const std::vector<int>& free_nodes,
                                    const SideOf& side, Minimiser which, Meter* meter);

// live(T) for a whole down-set given by flags.
Bytes live_bytes(const CoreProblem& core, const std::vector<char>& in_set);

// ---------------------------------------------------------------------------------------------------

namespace detail {

template <class SideOf>
class CutNetwork {
 public:
  CutNetwork(const CoreProblem& core, const std::vector<int>& free_nodes, const SideOf& side)
      : core_(core), side_(side), flow_(2 + static_cast<int>(free_nodes.size())) {
    for (std::size_t i = 0; i < free_nodes.size(); ++i)
      vertices_.emplace_back(free_nodes[i], 2 + static_cast<int>(i));
    std::sort(vertices_.begin(), vertices_.end());
    for (int v : free_nodes)
      for (int p : core.predecessors[static_cast<std::size_t>(v)])
        if (side(p) == CutSide::kFree) flow_.add_arc(vertex(v), vertex(p), MaxFlow::kInfinite);
    std::vector<int> tensors;
    for (int v : free_nodes) {
      const auto& in = core.inputs[static_cast<std::size_t>(v)];
      const auto& out = core.outputs[static_cast<std::size_t>(v)];
      tensors.insert(tensors.end(), in.begin(), in.end());
      tensors.insert(tensors.end(), out.begin(), out.end());
    }
    std::sort(tensors.begin(), tensors.end());
    tensors.erase(std::unique(tensors.begin(), tensors.end()), tensors.end());
    for (int t : tensors) add_tensor(core.tensors[static_cast<std::size_t>(t)]);
  }

  std::vector<char> minimiser(const std::vector<int>& free_nodes, Minimiser which, Meter* meter) {
    flow_.run(kSource, kSink);
    meter->spend(flow_.work());
    const auto inside = which == Minimiser::kLargest ? flow_.not_reaching_sink(kSink)
                                                     : flow_.reached_from_source(kSource);
    std::vector<char> flags;
    for (int v : free_nodes) flags.push_back(inside[static_cast<std::size_t>(vertex(v))] ? 1 : 0);
    return flags;
  }

 private:
  static constexpr int kSource = 0;
  static constexpr int kSink = 1;

  int vertex(int v) const {
    return std::lower_bound(vertices_.begin(), vertices_.end(), std::make_pair(v, 0))->second;
  }

  void add_tensor(const CoreTensor& tensor) {
    const CutSide made = tensor.producer < 0 ? CutSide::kIn : side_(tensor.producer);
    if (made == CutSide::kOut) return;
    bool needed = tensor.kept;
    for (int c : tensor.consumers) needed = needed || side_(c) == CutSide::kOut;
    const int from = made == CutSide::kIn ? kSource : vertex(tensor.producer);
    if (needed) {
      if (from != kSource) flow_.add_arc(from, kSink, tensor.bytes);
      return;
    }
    const int between = flow_.add_vertex();
    flow_.add_arc(from, between, tensor.bytes);
    for (int c : tensor.consumers)
      if (side_(c) == CutSide::kFree) flow_.add_arc(between, vertex(c), MaxFlow::kInfinite);
  }

  const CoreProblem& core_;
  const SideOf& side_;
  MaxFlow flow_;
  std::vector<std::pair<int, int>> vertices_;  // node, vertex; sorted
};

}  // namespace detail

template <class SideOf>
std::vector<char> cheapest_down_set(const CoreProblem& core, const std::vector<int>& free_nodes,
                                    const SideOf& side, Minimiser which, Meter* meter) {
  return detail::CutNetwork<SideOf>(core, free_nodes, side).minimiser(free_nodes, which, meter);
}

}  // namespace lowtide
