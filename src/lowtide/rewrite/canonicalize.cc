#include "lowtide/rewrite/canonicalize.h"

#include <algorithm>

#include "lowtide/analysis/reachability.h"

namespace lowtide {
namespace {

constexpr std::int64_t kReachabilityBytes = 40'000'000;

class Canonicalizer {
 public:
  Canonicalizer(const Graph& graph, Meter* meter)
      : graph_(graph),
        meter_(meter),
        joined_with_(graph.num_tensors()),
        bytes_(graph.num_tensors(), 0),
        is_reused_(graph.num_tensors(), 0) {}

  std::optional<Rewritten> run() {
    join_tensors();
    find_needed_edges();
    if (!has_changed_ || meter_->stopped()) return std::nullopt;
    GraphBuilder builder = copy_head(graph_);
    for (TensorId t : graph_.tensors()) {
      if (!stays(t)) continue;
      TensorSpec spec = spec_of(graph_, t);
      spec.bytes = bytes_[t];
      builder.add_tensor(spec);
    }
    IdVector<NodeId, NodeId> original;
    for (NodeId v : graph_.nodes()) {
      builder.add_node(node(v));
      original.push_back(v);
    }
    return Rewritten{std::move(builder).build(), std::move(original)};
  }

 private:
  bool has_say(TensorId t) const { return !graph_.is_persistent(t) && graph_.bytes(t) > 0; }
  bool stays(TensorId t) const {
    return is_reused_[t] || graph_.is_persistent(t) || (has_say(t) && joined_with_[t].is_none());
  }

  void join_tensors() {
    for (NodeId v : graph_.nodes())
      for (const Reuse& reuse : graph_.may_reuse(v))
        is_reused_[reuse.fresh] = is_reused_[reuse.old] = 1;
    std::vector<TensorId> given;
    for (TensorId t : graph_.tensors()) {
      bytes_[t] = graph_.bytes(t);
      if (graph_.producer(t).is_none()) given.push_back(t);
    }
    join_among(given);
    for (NodeId v : graph_.nodes()) {
      const auto outputs = graph_.outputs(v);
      if (outputs.size() > 1) join_among({outputs.begin(), outputs.end()});
    }
  }

  // Readers, then whether it is kept: equal for tensors that live and die together.
  bool less(TensorId a, TensorId b) const {
    if (graph_.is_output(a) != graph_.is_output(b)) return graph_.is_output(a);
    const auto x = graph_.consumers(a), y = graph_.consumers(b);
    return std::lexicographical_compare(x.begin(), x.end(), y.begin(), y.end());
  }

  // `made_together`: by one node, or by none.
  void join_among(std::vector<TensorId> made_together) {
    std::erase_if(made_together, [&](TensorId t) { return !has_say(t) || is_reused_[t]; });
    std::stable_sort(made_together.begin(), made_together.end(),
                     [&](TensorId a, TensorId b) { return less(a, b); });
    TensorId first;
    for (TensorId t : made_together) {
      if (first.is_none() || less(first, t)) {
        first = t;
        continue;
      }
      joined_with_[t] = first;
      bytes_[first] += graph_.bytes(t);
      has_changed_ = true;
    }
  }

  // The `after` edges that neither an input nor a path through another predecessor implies.
  void find_needed_edges() {
    Csr<NodeId, NodeId> predecessors, successors;
    for (NodeId v : graph_.nodes()) {
      predecessors.push_row(graph_.predecessors(v));
      successors.push_row(graph_.successors(v));
    }
    const Reachability reach(predecessors, successors, kReachabilityBytes, meter_);
    std::vector<NodeId> needed;
    for (NodeId v : graph_.nodes()) {
      needed.clear();
      for (NodeId u : graph_.after(v))
        if (!is_implied(u, v, reach)) needed.push_back(u);
      has_changed_ |= needed.size() < graph_.after(v).size();
      for (TensorId t : graph_.inputs(v))
        if (!stays(t) && !has_say(t) && !graph_.producer(t).is_none())
          needed.push_back(graph_.producer(t));
      after_.push_row(needed);
    }
  }

  bool is_implied(NodeId u, NodeId v, const Reachability& reach) const {
    const auto inputs = graph_.inputs(v);
    const auto others = graph_.predecessors(v);
    meter_->spend(static_cast<std::int64_t>(1 + inputs.size() + others.size()));
    return std::any_of(inputs.begin(), inputs.end(),
                       [&](TensorId t) { return has_say(t) && graph_.producer(t) == u; }) ||
           std::any_of(others.begin(), others.end(),
                       [&](NodeId p) { return p != u && reach.reaches(u, p); });
  }

  NodeSpec node(NodeId v) const {
    NodeSpec spec = spec_of(graph_, v);
    spec.inputs = names_of(graph_.inputs(v));
    spec.outputs = names_of(graph_.outputs(v));
    spec.mutates.clear();  // a planned tensor written in place is among the inputs: that says all
    for (TensorId t : graph_.mutates(v))
      if (graph_.is_persistent(t)) spec.mutates.emplace_back(graph_.tensor_name(t));
    spec.after.clear();
    for (NodeId u : after_[v]) spec.after.emplace_back(graph_.node_name(u));
    return spec;
  }
  std::vector<std::string> names_of(std::span<const TensorId> tensors) const {
    std::vector<std::string> names;
    for (TensorId t : tensors)
      if (is_reused_[t] || (stays(t) && !graph_.is_persistent(t)))
        names.emplace_back(graph_.tensor_name(t));
    return names;
  }

  const Graph& graph_;
  Meter* meter_;
  IdVector<TensorId, TensorId> joined_with_;
  IdVector<TensorId, Bytes> bytes_;
  IdVector<TensorId, std::uint8_t> is_reused_;
  Csr<NodeId, NodeId> after_;
  bool has_changed_ = false;
};

}  // namespace

std::optional<Rewritten> canonicalize(const Graph& graph, Meter* meter) {
  return Canonicalizer(graph, meter).run();
}

}  // namespace lowtide
