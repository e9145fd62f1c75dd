// A deep-learning graph as the planner sees it: nodes (operators) and tensors (storages).
//
// A Graph is immutable and valid: GraphBuilder is the only way to make one. Nodes are numbered in
// program order, which is a legal order. A tensor is a storage: views and aliases were resolved
// before it came here. Sizes are in bytes, times in microseconds. The file format is described in
// docs/formats.md; what the words mean for memory (lifetime, peak) in model/lifetimes.h.
//
// Cost: flat arrays, about 100 bytes a node plus the names; a million nodes fit in well under 1 GB.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "lowtide/base/bytes.h"
#include "lowtide/base/csr.h"
#include "lowtide/base/id_vector.h"
#include "lowtide/base/string_pool.h"

namespace lowtide {

// Who owns a tensor's bytes. Every kind but kActivation is persistent: it lives for the whole run
// and is never placed or counted in the peak.
enum class TensorKind : std::uint8_t {
  kActivation,
  kInput,
  kParameter,
  kBuffer,
  kOptimizerState,
  kConstant,
};

inline bool is_persistent(TensorKind kind) { return kind != TensorKind::kActivation; }
const char* to_string(TensorKind kind);
// False if `text` names no kind.
bool parse_tensor_kind(std::string_view text, TensorKind* kind);

// `fresh` may take the bytes of `old`, which the same node reads, if `old` dies there.
struct Reuse {
  TensorId fresh;
  TensorId old;
  friend bool operator==(const Reuse&, const Reuse&) = default;
};

class Graph {
 public:
  const std::string& name() const { return name_; }
  const std::string& source() const { return source_; }
  // The "meta" object of the file as JSON text, kept for a round trip; "" if there was none.
  const std::string& meta_json() const { return meta_json_; }

  std::size_t num_nodes() const { return inputs_.num_rows(); }
  std::size_t num_tensors() const { return bytes_.size(); }
  IdRange<NodeId> nodes() const { return IdRange<NodeId>(num_nodes()); }
  IdRange<TensorId> tensors() const { return IdRange<TensorId>(num_tensors()); }

  // Tensors.
  std::string_view tensor_name(TensorId t) const { return tensor_names_[t.index()]; }
  Bytes bytes(TensorId t) const { return bytes_[t]; }
  TensorKind kind(TensorId t) const { return kind_[t]; }
  bool is_persistent(TensorId t) const { return lowtide::is_persistent(kind_[t]); }
  // The caller keeps it: it lives to the end.
  bool is_output(TensorId t) const { return output_[t] != 0; }
  // none() for persistent tensors and for freeable inputs (live from the start).
  NodeId producer(TensorId t) const { return producer_[t]; }
  std::span<const NodeId> consumers(TensorId t) const { return consumers_[t]; }

  // Nodes.
  std::string_view node_name(NodeId v) const { return node_names_[v.index()]; }
  std::string_view op(NodeId v) const { return ops_[op_[v]]; }
  std::string_view phase(NodeId v) const { return phases_[phase_[v]]; }
  bool is_pointwise(NodeId v) const { return pointwise_[v] != 0; }
  Bytes workspace_bytes(NodeId v) const { return workspace_bytes_[v]; }
  // 0 if unknown.
  double time_us(NodeId v) const { return time_us_[v]; }
  std::span<const TensorId> inputs(NodeId v) const { return inputs_[v]; }    // no duplicates
  std::span<const TensorId> outputs(NodeId v) const { return outputs_[v]; }  // no duplicates
  std::span<const TensorId> mutates(NodeId v) const { return mutates_[v]; }
  std::span<const NodeId> after(NodeId v) const { return after_[v]; }
  std::span<const Reuse> may_reuse(NodeId v) const { return may_reuse_[v]; }

  // Direct dependencies, each once, sorted: producers of the inputs and the nodes in `after`.
  std::span<const NodeId> predecessors(NodeId v) const { return predecessors_[v]; }
  std::span<const NodeId> successors(NodeId v) const { return successors_[v]; }

  // Bytes of all persistent tensors together.
  Bytes persistent_bytes() const { return persistent_bytes_; }

 private:
  friend class GraphBuilder;
  Graph() = default;

  std::string name_;
  std::string source_;
  std::string meta_json_;

  StringPool tensor_names_;
  IdVector<TensorId, Bytes> bytes_;
  IdVector<TensorId, TensorKind> kind_;
  IdVector<TensorId, std::uint8_t> output_;
  IdVector<TensorId, NodeId> producer_;
  Csr<TensorId, NodeId> consumers_;

  StringPool node_names_;
  StringPool ops_;     // distinct ops; op_ indexes it
  StringPool phases_;  // distinct phases; phase_ indexes it
  IdVector<NodeId, std::uint32_t> op_;
  IdVector<NodeId, std::uint32_t> phase_;
  IdVector<NodeId, std::uint8_t> pointwise_;
  IdVector<NodeId, Bytes> workspace_bytes_;
  IdVector<NodeId, double> time_us_;
  Csr<NodeId, TensorId> inputs_;
  Csr<NodeId, TensorId> outputs_;
  Csr<NodeId, TensorId> mutates_;
  Csr<NodeId, NodeId> after_;
  Csr<NodeId, Reuse> may_reuse_;
  Csr<NodeId, NodeId> predecessors_;
  Csr<NodeId, NodeId> successors_;

  Bytes persistent_bytes_ = 0;
};

}  // namespace lowtide
