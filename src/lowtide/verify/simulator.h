// Executes a plan step by step, byte by byte: the independent opinion on what a plan does.
//
// It shares no code with the solvers, nor their definition of a lifetime (model/lifetimes.h): it
// keeps a count of pending readers per tensor and a map of the arena's occupied bytes, allocates a
// node's outputs and its workspace, then frees the workspace and whatever has no reader left. A
// tensor that takes over another's bytes has them once that one is freed; the rest is free.
// O((nodes + tensors) log tensors).
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "lowtide/graph/graph.h"
#include "lowtide/graph/plan.h"

namespace lowtide {

// What takes room in the arena: a tensor, or the workspace of a node.
struct Resident {
  TensorId tensor;
  NodeId workspace_of = NodeId::none();
  friend bool operator==(const Resident&, const Resident&) = default;
};

// The bytes of the arena that are taken.
class Arena {
 public:
  // Occupies [offset, offset + size), which does not go beyond 2^63 - 1; returns somebody who
  // already holds one of these bytes (then nothing is occupied).
  std::optional<Resident> occupy(Resident resident, Bytes offset, Bytes size);
  // Gives the bytes at `offset` back if `resident` holds them.
  void release(Resident resident, Bytes offset);

 private:
  struct Taken {
    Bytes end;
    Resident by;
  };
  std::map<Bytes, Taken> taken_;  // by first byte; disjoint
};

struct Simulation {
  std::vector<Bytes> needed;  // bytes needed at each step, workspace included
  Bytes peak = 0;             // their maximum

  struct Overlap {
    std::size_t step;  // where `resident` is placed onto `other`, which is there
    Resident resident;
    Resident other;
  };
  std::vector<Overlap> overlaps;

  struct EarlyRead {
    NodeId node;
    TensorId tensor;  // read before it is made
  };
  std::vector<EarlyRead> early_reads;

  std::vector<Reuse> impossible_reuses;  // plan.reuses whose `old` does not die at the node
};

// `plan.schedule` must hold every node exactly once; everything else may be wrong, reuses of
// tensors that the graph does not have included. What has no usable offset takes no part in the
// arena.
Simulation simulate(const Graph& graph, const Plan& plan);

// The peak of a graph's nodes in some order, without offsets. Holds every node once.
Bytes simulated_peak(const Graph& graph, const Schedule& schedule);

// 0, 1, 2, ...: the order of the file.
Schedule program_order(const Graph& graph);

}  // namespace lowtide
