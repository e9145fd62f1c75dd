// The first half of MODeL as a problem of its own: in which order do the nodes run so that the peak
// is least? Plain data without names, files or persistent tensors; model/lower.h makes it from a
// Graph, order/ solves it.
//
// Cost model (docs/model.md). Let live(S) be the bytes of the tensors that exist after the executed
// set S: produced (or without a producer), and kept or with a consumer outside S. Running v next
// needs
//     live(S) + bytes of v's outputs + workspace(v)          [- bytes reused in place at v]
// and the peak of a schedule is the maximum over its steps.
#pragma once

#include <cstdint>
#include <vector>

#include "lowtide/base/bytes.h"
#include "lowtide/base/csr.h"
#include "lowtide/base/id_vector.h"
#include "lowtide/graph/graph.h"
#include "lowtide/graph/plan.h"

namespace lowtide {

struct OrderProblem {
  // Nodes, numbered in program order, which is legal.
  Csr<NodeId, NodeId> predecessors;  // direct, no duplicates
  Csr<NodeId, NodeId> successors;
  Csr<NodeId, TensorId> inputs;   // planned tensors of bytes > 0 only
  Csr<NodeId, TensorId> outputs;  // likewise
  // What a node needs beside its tensors: 0 in a problem lowered from a graph (model/lower.h makes
  // workspaces tensors); reductions put here what they merge, < 0 for an in-place reuse settled.
  IdVector<NodeId, Bytes> workspace_bytes;
  IdVector<NodeId, std::uint8_t> is_update;  // an optimizer node: what `hoist` pulls forward
  // Pairs that may share bytes at this node; empty rows unless reuse is asked for. `old` is an
  // input of the node with bytes(old) >= bytes(fresh), not kept. A pair takes effect exactly if
  // `old` has no other consumer left; of several pairs with the same `fresh` or `old` the lowering
  // keeps one.
  Csr<NodeId, Reuse> reuses;

  // Tensors.
  IdVector<TensorId, Bytes> bytes;        // > 0
  IdVector<TensorId, NodeId> producer;    // none(): live from the start
  IdVector<TensorId, std::uint8_t> kept;  // lives to the end
  Csr<TensorId, NodeId> consumers;

  std::size_t num_nodes() const { return predecessors.num_rows(); }
  std::size_t num_tensors() const { return bytes.size(); }
  IdRange<NodeId> nodes() const { return IdRange<NodeId>(num_nodes()); }
  IdRange<TensorId> tensors() const { return IdRange<TensorId>(num_tensors()); }
};

// What v needs beside the tensors that are live before it, if it reuses nothing: its outputs and
// its workspace.
Bytes own_bytes(const OrderProblem& problem, NodeId v);

// An input that nobody reads and the caller does not keep: it lives in no step.
bool is_unread_input(const OrderProblem& problem, TensorId t);

// The common divisor of all sizes; every peak is a multiple of it. At least 1.
Bytes unit_of(const OrderProblem& problem);

}  // namespace lowtide
