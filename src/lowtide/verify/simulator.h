// Executes a plan step by step, byte by byte: the independent opinion on what a plan does.
//
// It shares no code with the solvers, nor their definition of a lifetime (model/lifetimes.h): it
// keeps a count of pending readers per tensor and a map of the arena's occupied bytes, allocates a
// node's outputs, then frees whatever has no reader left. O((nodes + tensors) log tensors).
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "lowtide/graph/graph.h"
#include "lowtide/graph/plan.h"

namespace lowtide {

// The bytes of the arena that live tensors occupy.
class Arena {
 public:
  struct Occupant {
    Bytes end;
    TensorId tensor;
  };

  // Occupies [offset, offset + size); returns a tensor that already holds one of these bytes (then
  // nothing is occupied), or none().
  TensorId occupy(TensorId tensor, Bytes offset, Bytes size);
  // Gives the bytes at `offset` back if `tensor` holds them.
  void release(TensorId tensor, Bytes offset);

 private:
  std::map<Bytes, Occupant> occupants_;  // by first byte; disjoint
};

struct Simulation {
  std::vector<Bytes> needed;  // bytes needed at each step, workspace included
  Bytes peak = 0;             // their maximum

  struct Overlap {
    std::size_t step;  // where `tensor` is placed onto `other`, which is live
    TensorId tensor;
    TensorId other;
  };
  std::vector<Overlap> overlaps;

  struct EarlyRead {
    NodeId node;
    TensorId tensor;  // read before it is made
  };
  std::vector<EarlyRead> early_reads;

  std::vector<Reuse> impossible_reuses;  // plan.reuses whose `old` does not die at the node
};

// `plan.schedule` must hold every node exactly once; everything else may be wrong. Tensors without
// a usable offset take no part in the arena.
Simulation simulate(const Graph& graph, const Plan& plan);

// The peak of a graph's nodes in some order, without offsets. Holds every node once.
Bytes simulated_peak(const Graph& graph, const Schedule& schedule);

// 0, 1, 2, ...: the order of the file.
Schedule program_order(const Graph& graph);

}  // namespace lowtide
