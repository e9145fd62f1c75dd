// What a reader wants to group tensors and nodes by, beside phase and operator: the module a node
// belongs to, and the part a tensor plays in a training step.
//
// Graphs hold no modules, but a parameter's name is a path ("layer1.0.conv1.weight"). A node
// belongs to the module whose parameters or buffers it reads or writes (their common path); one
// that touches none, to that of its largest input's producer, as `relu` belongs to the convolution
// before it. It is a reading of names, made for colours and groups: nothing is planned by it.
#pragma once

#include <string>
#include <vector>

#include "lowtide/base/id_vector.h"
#include "lowtide/graph/graph.h"

namespace lowtide {

struct ModuleLabels {
  std::vector<std::string> names;           // [0] is "": unknown
  IdVector<NodeId, std::uint32_t> of_node;  // index into names
};

// O(nodes + tensors), in program order.
ModuleLabels module_labels(const Graph& graph);

// The part a planned tensor plays, from the phases of its producer and consumers.
enum class Role : std::uint8_t {
  kGiven,      // no producer: an input that may be freed
  kOutput,     // kept for the caller
  kForward,    // made and last read in forward
  kSaved,      // made in forward, read in backward: what recomputation and offload can save
  kGradient,   // made in backward, read by the optimizer
  kBackward,   // made in backward, not read by the optimizer
  kOptimizer,  // made in an optimizer node
  kOther,      // made in a node of no known phase
  kWorkspace,  // what a node needs while it runs; no tensor of the graph
};

inline constexpr int kNumRoles = 9;
const char* to_string(Role role);

Role role_of(const Graph& graph, TensorId t);

// What the workspace of a node is called among tensors: "workspace of conv1".
std::string workspace_name(const Graph& graph, NodeId v);

}  // namespace lowtide
