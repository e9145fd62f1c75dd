#include "lowtide/graph/graph_builder.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <utility>

#include "lowtide/base/room.h"
#include "lowtide/base/text.h"
#include "lowtide/graph/mutation_order.h"

namespace lowtide {
namespace {

// Names to indices, in order of first mention; a name is declared at most once.
class NameTable {
 public:
  static constexpr std::uint32_t kUndeclared = Id<void>::kNoneValue;

  std::uint32_t mention(const std::string& name) {
    const auto [entry, is_new] =
        index_.try_emplace(name, static_cast<std::uint32_t>(declared_.size()));
    if (is_new) {
      declared_.push_back(kUndeclared);
      names_.push_back(&entry->first);
    }
    return entry->second;
  }
  // The id of the new element; throws if the name is empty or taken.
  std::uint32_t declare(const char* what, const std::string& name) {
    if (name.empty())
      throw InputError(std::string(what) + " " + std::to_string(count_), "has no name");
    std::uint32_t& id = declared_[mention(name)];
    if (id != kUndeclared)
      throw InputError(std::string(what) + " " + quote(name), "the name is used twice");
    return id = count_++;
  }
  std::uint32_t declared(std::uint32_t mention) const { return declared_[mention]; }
  const std::string& name(std::uint32_t mention) const { return *names_[mention]; }

 private:
  std::unordered_map<std::string, std::uint32_t> index_;
  std::vector<const std::string*> names_;  // by mention; the map's nodes do not move
  std::vector<std::uint32_t> declared_;    // by mention
  std::uint32_t count_ = 0;
};

// The few distinct strings of ops and phases, shared by all nodes.
class SharedStrings {
 public:
  std::uint32_t intern(StringPool* pool, const std::string& text) {
    const auto [entry, is_new] = index_.try_emplace(text, 0);
    if (is_new) entry->second = pool->push_back(text);
    return entry->second;
  }

 private:
  std::unordered_map<std::string, std::uint32_t> index_;
};

// Of a cycle.
constexpr std::size_t kMostNamed = 20;

std::string tensor_label(std::string_view name) { return "tensor " + quote(name); }
std::string node_label(std::string_view name) { return "node " + quote(name); }

void check_amount(const std::string& where, const char* what, Bytes bytes) {
  if (bytes < 0)
    throw InputError(where, std::string(what) + " is negative: " + std::to_string(bytes));
}

// Keeps the first of each.
template <class T>
void remove_duplicates(std::vector<T>* items) {
  std::vector<T> sorted = *items;
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end()) return;
  std::vector<std::uint8_t> seen(sorted.size(), 0);
  std::erase_if(*items, [&](const T& item) {
    const auto at = std::lower_bound(sorted.begin(), sorted.end(), item) - sorted.begin();
    return std::exchange(seen[static_cast<std::size_t>(at)], 1) != 0;
  });
}

// One cycle among `predecessors`, each node before the next that needs it; empty if there is none.
std::vector<NodeId> find_cycle(const Csr<NodeId, NodeId>& predecessors) {
  enum : std::uint8_t { kNew, kOpen, kDone };
  IdVector<NodeId, std::uint8_t> state(predecessors.num_rows(), kNew);
  std::vector<std::pair<NodeId, std::size_t>> path;  // node, its next predecessor to look at
  for (NodeId root : IdRange<NodeId>(predecessors.num_rows())) {
    if (state[root] != kNew) continue;
    path.assign(1, {root, 0});
    state[root] = kOpen;
    while (!path.empty()) {
      auto& [v, next] = path.back();
      if (next == predecessors[v].size()) {
        state[v] = kDone;
        path.pop_back();
        continue;
      }
      const NodeId u = predecessors[v][next++];
      if (state[u] == kOpen) {
        std::vector<NodeId> cycle;
        auto entry = path.rbegin();
        for (; entry->first != u; ++entry) cycle.push_back(entry->first);
        cycle.push_back(u);
        return cycle;
      }
      if (state[u] == kNew) {
        state[u] = kOpen;
        path.emplace_back(u, 0);
      }
    }
  }
  return {};
}

}  // namespace

struct GraphBuilder::State {
  Graph graph;
  NameTable tensor_names;
  NameTable node_names;
  SharedStrings ops;
  SharedStrings phases;
  bool orders_mutations = false;
  Bytes sum = 0;  // of all sizes and workspaces: within kMaxRoom

  // Per node, indices of mention.
  Csr<NodeId, TensorId> inputs, outputs, mutates;
  Csr<NodeId, NodeId> after;
  Csr<NodeId, Reuse> may_reuse;

  std::vector<TensorId> mention_tensors(const std::vector<std::string>& names) {
    std::vector<TensorId> mentions;
    mentions.reserve(names.size());
    for (const std::string& name : names) mentions.emplace_back(tensor_names.mention(name));
    remove_duplicates(&mentions);
    return mentions;
  }

  void add_to_sum(const std::string& where, Bytes bytes) {
    if (!add_fits(sum, bytes, &sum) || sum > kMaxRoom)
      throw InputError(where, std::string("the sum of all bytes exceeds ") + kMaxRoomText);
  }

  std::string node(NodeId v) const { return node_label(graph.node_names_[v.index()]); }

  TensorId resolve(NodeId v, const char* role, TensorId mention) const {
    const std::uint32_t id = tensor_names.declared(mention.value());
    if (id == NameTable::kUndeclared)
      throw InputError(node(v), std::string("unknown tensor ") +
                                    quote(tensor_names.name(mention.value())) + " in " + role);
    return TensorId(id);
  }

  // The mentions of one role, turned into tensors of the graph.
  Csr<NodeId, TensorId> resolve_all(const char* role, const Csr<NodeId, TensorId>& mentions) const {
    Csr<NodeId, TensorId> resolved;
    std::vector<TensorId> row;
    for (NodeId v : graph_nodes()) {
      row.clear();
      for (TensorId mention : mentions[v]) row.push_back(resolve(v, role, mention));
      resolved.push_row(row);
    }
    return resolved;
  }

  IdRange<NodeId> graph_nodes() const { return IdRange<NodeId>(graph.node_names_.size()); }

  void resolve_names();
  void read_what_is_mutated();
  void set_producers();
  void check_reuses() const;
  void check_reused(NodeId v, std::vector<TensorId> reused, std::span<const TensorId> of_node,
                    const char* otherwise) const;
  void order_accesses();
  void connect();
  void check_order() const;
};

void GraphBuilder::State::resolve_names() {
  graph.inputs_ = resolve_all("inputs", inputs);
  graph.outputs_ = resolve_all("outputs", outputs);
  graph.mutates_ = resolve_all("mutates", mutates);
  std::vector<NodeId> after_row;
  std::vector<Reuse> reuse_row;
  for (NodeId v : graph_nodes()) {
    after_row.clear();
    for (NodeId mention : after[v]) {
      const std::uint32_t id = node_names.declared(mention.value());
      if (id == NameTable::kUndeclared)
        throw InputError(node(v),
                         "unknown node " + quote(node_names.name(mention.value())) + " in after");
      after_row.emplace_back(id);
    }
    graph.after_.push_row(after_row);
    reuse_row.clear();
    for (const Reuse& reuse : may_reuse[v])
      reuse_row.push_back(
          {resolve(v, "may_reuse", reuse.fresh), resolve(v, "may_reuse", reuse.old)});
    graph.may_reuse_.push_row(reuse_row);
  }
}

// Writing a planned tensor in place needs it live, so it counts as read.
void GraphBuilder::State::read_what_is_mutated() {
  Csr<NodeId, TensorId> read;
  for (NodeId v : graph_nodes()) {
    std::vector<TensorId> row(graph.inputs_[v].begin(), graph.inputs_[v].end());
    for (TensorId t : graph.mutates_[v])
      if (!graph.is_persistent(t)) row.push_back(t);
    remove_duplicates(&row);
    read.push_row(row);
  }
  graph.inputs_ = std::move(read);
}

void GraphBuilder::State::set_producers() {
  graph.producer_.resize(graph.num_tensors());
  for (NodeId v : graph_nodes()) {
    for (TensorId t : graph.outputs_[v]) {
      const std::string name = quote(graph.tensor_name(t));
      if (graph.is_persistent(t))
        throw InputError(node(v), "output " + name + " is persistent (" + to_string(graph.kind(t)) +
                                      "); a node writes one in place, in mutates");
      if (const NodeId other = graph.producer_[t]; !other.is_none())
        throw InputError(node(v), "output " + name + " already has a producer, " + node(other));
      graph.producer_[t] = v;
    }
  }
  graph.consumers_ = graph.inputs_.transposed(graph.num_tensors());
}

// Each new tensor an output with one old one, each old one an input with one new one: of two that
// would take the same bytes, which is meant?
void GraphBuilder::State::check_reuses() const {
  for (NodeId v : graph_nodes()) {
    std::vector<TensorId> fresh, old;
    for (const Reuse& reuse : graph.may_reuse_[v]) {
      fresh.push_back(reuse.fresh);
      old.push_back(reuse.old);
    }
    check_reused(v, std::move(fresh), graph.outputs_[v], "is not an output");
    check_reused(v, std::move(old), graph.inputs_[v], "is not an input");
  }
}

void GraphBuilder::State::check_reused(NodeId v, std::vector<TensorId> reused,
                                       std::span<const TensorId> of_node,
                                       const char* otherwise) const {
  if (reused.empty()) return;
  const auto fail = [&](TensorId t, const char* what) {
    throw InputError(node(v), "may_reuse: " + quote(graph.tensor_name(t)) + " " + what);
  };
  std::vector<TensorId> known(of_node.begin(), of_node.end());
  std::sort(known.begin(), known.end());
  for (TensorId t : reused)
    if (!std::binary_search(known.begin(), known.end(), t)) fail(t, otherwise);
  std::sort(reused.begin(), reused.end());
  const auto twice = std::adjacent_find(reused.begin(), reused.end());
  if (twice != reused.end()) fail(*twice, "is in several pairs");
}

void GraphBuilder::State::order_accesses() {
  const std::vector<AccessPair> pairs = access_pairs(graph);
  Csr<NodeId, NodeId> after;
  auto pair = pairs.begin();
  for (NodeId v : graph_nodes()) {
    std::vector<NodeId> row(graph.after_[v].begin(), graph.after_[v].end());
    std::vector<NodeId> producers;
    for (TensorId t : graph.inputs_[v]) producers.push_back(graph.producer_[t]);
    std::sort(producers.begin(), producers.end());
    for (; pair != pairs.end() && pair->second == v; ++pair)
      if (!std::binary_search(producers.begin(), producers.end(), pair->first))
        row.push_back(pair->first);
    remove_duplicates(&row);
    after.push_row(row);
  }
  graph.after_ = std::move(after);
}

void GraphBuilder::State::connect() {
  std::vector<NodeId> row;
  for (NodeId v : graph_nodes()) {
    row.assign(graph.after_[v].begin(), graph.after_[v].end());
    for (TensorId t : graph.inputs_[v])
      if (!graph.producer_[t].is_none()) row.push_back(graph.producer_[t]);
    std::sort(row.begin(), row.end());
    row.erase(std::unique(row.begin(), row.end()), row.end());
    graph.predecessors_.push_row(row);
  }
  graph.successors_ = graph.predecessors_.transposed(graph.predecessors_.num_rows());
}

void GraphBuilder::State::check_order() const {
  for (NodeId v : graph_nodes()) {
    for (NodeId u : graph.predecessors_[v]) {
      if (u < v) continue;
      const auto cycle = find_cycle(graph.predecessors_);
      if (cycle.empty())
        throw InputError(node(v),
                         "stands before " + node(u) +
                             ", which it depends on: nodes must stand in a legal program order");
      std::string path = quote(graph.node_name(cycle.back()));
      for (std::size_t i = 0; i < cycle.size(); ++i)
        if (i < kMostNamed || i + 1 == cycle.size())
          path += " -> " + quote(graph.node_name(cycle[i]));
        else if (i == kMostNamed)
          path += " -> ...";
      throw InputError(node(cycle.back()), "is on a cycle of dependencies: " + path);
    }
  }
}

GraphBuilder::GraphBuilder(std::string name, std::string source) : state_(new State) {
  state_->graph.name_ = std::move(name);
  state_->graph.source_ = std::move(source);
}
GraphBuilder::~GraphBuilder() = default;
GraphBuilder::GraphBuilder(GraphBuilder&&) noexcept = default;
GraphBuilder& GraphBuilder::operator=(GraphBuilder&&) noexcept = default;

GraphBuilder::State& GraphBuilder::state() {
  if (state_ == nullptr) throw InputError("graph builder", "has built its graph already");
  return *state_;
}

void GraphBuilder::set_name(std::string name) { state().graph.name_ = std::move(name); }
void GraphBuilder::set_source(std::string source) { state().graph.source_ = std::move(source); }
void GraphBuilder::set_meta_json(std::string meta_json) {
  state().graph.meta_json_ = std::move(meta_json);
}

void GraphBuilder::order_mutations() { state().orders_mutations = true; }

void GraphBuilder::add_tensor(const TensorSpec& tensor) {
  Graph& graph = state().graph;
  state().tensor_names.declare("tensor", tensor.name);
  const std::string where = tensor_label(tensor.name);
  check_amount(where, "bytes", tensor.bytes);
  state().add_to_sum(where, tensor.bytes);
  graph.tensor_names_.push_back(tensor.name);
  graph.bytes_.push_back(tensor.bytes);
  graph.kind_.push_back(tensor.kind);
  graph.output_.push_back(tensor.output);
  if (is_persistent(tensor.kind)) graph.persistent_bytes_ += tensor.bytes;
}

void GraphBuilder::add_node(const NodeSpec& node) {
  State& state = this->state();
  Graph& graph = state.graph;
  state.node_names.declare("node", node.name);
  const std::string where = node_label(node.name);
  check_amount(where, "workspace_bytes", node.workspace_bytes);
  state.add_to_sum(where, node.workspace_bytes);
  if (!(node.time_us >= 0) || std::isinf(node.time_us))
    throw InputError(where, "time_us is not a time: " + std::to_string(node.time_us));

  graph.node_names_.push_back(node.name);
  graph.op_.push_back(state.ops.intern(&graph.ops_, node.op));
  graph.phase_.push_back(state.phases.intern(&graph.phases_, node.phase));
  graph.pointwise_.push_back(node.pointwise);
  graph.workspace_bytes_.push_back(node.workspace_bytes);
  graph.time_us_.push_back(node.time_us);

  state.inputs.push_row(state.mention_tensors(node.inputs));
  state.outputs.push_row(state.mention_tensors(node.outputs));
  state.mutates.push_row(state.mention_tensors(node.mutates));
  std::vector<NodeId> after;
  for (const std::string& name : node.after) after.emplace_back(state.node_names.mention(name));
  remove_duplicates(&after);
  state.after.push_row(after);
  std::vector<Reuse> reuses;
  for (const auto& [fresh, old] : node.may_reuse)
    reuses.push_back(
        {TensorId(state.tensor_names.mention(fresh)), TensorId(state.tensor_names.mention(old))});
  state.may_reuse.push_row(reuses);
}

Graph GraphBuilder::build() && {
  this->state();
  const std::unique_ptr<State> built = std::move(state_);
  State& state = *built;
  state.resolve_names();
  state.read_what_is_mutated();
  state.set_producers();
  state.check_reuses();
  if (state.orders_mutations) state.order_accesses();
  state.connect();
  state.check_order();
  return std::move(state.graph);
}

}  // namespace lowtide
