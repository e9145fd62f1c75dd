// A training step written down as its forward pass: the backward pass and the optimizer follow.
//
// Every operator that is not linear keeps its inputs for the backward pass; there it has a node for
// the gradient of each input, and one for that of its parameter. Gradients of a tensor that several
// operators read are added up pairwise. Adam's four nodes a parameter come last, as PyTorch has
// them.
#pragma once

#include <string>
#include <vector>

#include "lowtide/graph/graph_builder.h"

namespace lowtide::bench {

class TrainingStep {
 public:
  using Var = int;
  static constexpr Var kNone = -1;

  explicit TrainingStep(const std::string& name) : builder_(name) {}

  // A batch: persistent, and nobody asks for its gradient.
  Var input(Bytes bytes);
  // An operator with at most one parameter (0 bytes: none).
  Var op(const char* name, std::vector<Var> inputs, Bytes bytes, Bytes parameter_bytes = 0);
  // The sum of its inputs: its gradient is handed on as it is.
  Var add(std::vector<Var> inputs);

  Bytes bytes(Var var) const { return values_[static_cast<std::size_t>(var)].bytes; }
  // Nodes of the whole step, if the forward pass ended here; about.
  int num_nodes() const { return num_nodes_; }

  // `last`: the output that the caller keeps.
  Graph inference(Var last) &&;
  Graph training(Var last) &&;

 private:
  struct Value {
    Bytes bytes;
    bool persistent;
    bool kept = false;
    Var gradient = kNone;
  };
  struct Op {
    std::string name;
    std::vector<Var> inputs;
    Var output;
    Bytes parameter_bytes;
    bool linear;
  };

  Var new_value(Bytes bytes, bool persistent = false);
  Value& value(Var var) { return values_[static_cast<std::size_t>(var)]; }
  std::vector<std::string> names_of(const std::vector<Var>& vars) const;
  void add_node(NodeSpec spec, const std::vector<Var>& inputs, Var output);
  void run_forwards();
  void run_backwards(const Op& op);
  void hand_on(Var to, Var gradient);
  void update(const Op& op, Var gradient);
  Graph finish() &&;

  GraphBuilder builder_;
  std::vector<Value> values_;
  std::vector<Op> ops_;
  std::vector<Var> parameter_gradients_;  // by op
  int num_nodes_ = 0;
};

}  // namespace lowtide::bench
