// The only way to make a Graph: collect tensors and nodes, by name, in any order of declaration
// (a node may name a tensor that is declared later), then build() checks everything at once.
//
//   GraphBuilder builder("tiny");
//   builder.add_tensor({.name = "x", .bytes = 64});
//   builder.add_node({.name = "relu", .op = "aten.relu.default", .outputs = {"x"}});
//   Graph graph = std::move(builder).build();
//
// Nodes are added in program order. Throws InputError, naming the element and the reason, on:
// duplicate or empty names, unknown tensors or nodes, negative sizes, sums of bytes over 2^60 - 1,
// a tensor with two producers, a persistent tensor as an output, `may_reuse` of tensors that are
// not an output and an input of the node or of one tensor in two pairs, a cycle (printed), and
// nodes that do not stand in a legal order.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lowtide/graph/error.h"
#include "lowtide/graph/graph.h"

namespace lowtide {

struct TensorSpec {
  std::string name;
  Bytes bytes = 0;
  TensorKind kind = TensorKind::kActivation;
  bool output = false;
};

struct NodeSpec {
  std::string name;
  std::string op = {};
  std::vector<std::string> inputs = {};
  std::vector<std::string> outputs = {};
  std::vector<std::string> mutates = {};
  std::vector<std::string> after = {};
  std::vector<std::pair<std::string, std::string>> may_reuse = {};  // fresh, old
  std::string phase = {};
  bool pointwise = false;
  Bytes workspace_bytes = 0;
  double time_us = 0;
};

class GraphBuilder {
 public:
  explicit GraphBuilder(std::string name = "", std::string source = "");
  ~GraphBuilder();
  GraphBuilder(GraphBuilder&&) noexcept;
  GraphBuilder& operator=(GraphBuilder&&) noexcept;

  void set_name(std::string name);
  void set_source(std::string source);
  // A JSON object as text; kept, never read.
  void set_meta_json(std::string meta_json);
  void add_tensor(const TensorSpec& tensor);
  void add_node(const NodeSpec& node);

  // build() adds to `after` what keeps the reads and writes of each tensor in `mutates` in program
  // order (graph/mutation_order.h), where no arc does so yet.
  void order_mutations();

  // Uses the builder up, whether it succeeds or throws.
  Graph build() &&;

 private:
  struct State;
  State& state();  // throws InputError once the graph is built
  std::unique_ptr<State> state_;
};

}  // namespace lowtide
