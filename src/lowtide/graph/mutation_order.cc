#include "lowtide/graph/mutation_order.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>

#include "lowtide/base/text.h"

namespace lowtide {
namespace {

struct Accesses {
  NodeId last_write;            // none() at first
  std::vector<NodeId> readers;  // since then
};

bool holds(std::span<const TensorId> tensors, TensorId t) {
  return std::find(tensors.begin(), tensors.end(), t) != tensors.end();
}

// Paths by way of the longest path of the graph: a training step is nearly all one, so that a look
// at where each node enters and leaves it answers nearly every question.
class Backbone {
 public:
  explicit Backbone(const Graph& graph)
      : enters_(graph.num_nodes(), kNever), leaves_(graph.num_nodes(), -1) {
    mark_longest_path(graph);
    for (NodeId v : graph.nodes())
      for (NodeId u : graph.predecessors(v)) leaves_[v] = std::max(leaves_[v], leaves_[u]);
    for (std::size_t i = graph.num_nodes(); i-- > 0;)
      for (NodeId w : graph.successors(NodeId(i)))
        enters_[NodeId(i)] = std::min(enters_[NodeId(i)], enters_[w]);
  }

  // A path leads from u to v, another node; false if none touches the longest one.
  bool connects(NodeId u, NodeId v) const { return enters_[u] <= leaves_[v]; }

 private:
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

  // Gives its nodes their place on it.
  void mark_longest_path(const Graph& graph) {
    IdVector<NodeId, std::int64_t> length(graph.num_nodes(), 0);  // of the longest that ends here
    NodeId last;
    for (NodeId v : graph.nodes()) {
      for (NodeId u : graph.predecessors(v)) length[v] = std::max(length[v], length[u] + 1);
      if (last.is_none() || length[v] > length[last]) last = v;
    }
    while (!last.is_none()) {
      enters_[last] = leaves_[last] = length[last];
      NodeId before;
      for (NodeId u : graph.predecessors(last))
        if (length[u] + 1 == length[last]) before = u;
      last = before;
    }
  }

  IdVector<NodeId, std::int64_t> enters_;  // the first place on it that the node reaches
  IdVector<NodeId, std::int64_t> leaves_;  // the last place on it that reaches the node
};

// Paths from up to 512 sources at once: a bit each, carried along the arcs in program order.
class Paths {
 public:
  static constexpr std::size_t kMostSources = 512;

  explicit Paths(const Graph& graph) : graph_(graph), from_(graph.num_nodes()) {}

  // pairs: sorted by `first`, of at most kMostSources different ones. Keeps those without a path.
  void keep_unordered(std::span<const AccessPair> pairs, std::vector<AccessPair>* unordered) {
    const NodeId first = pairs.front().first;
    NodeId last = pairs.front().second;
    for (const AccessPair& pair : pairs) last = std::max(last, pair.second);
    for (std::size_t v = first.index(); v <= last.index(); ++v) from_[NodeId(v)] = Bits{};
    std::vector<std::size_t> source(pairs.size(), 0);
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      source[i] = i == 0 ? 0 : source[i - 1] + (pairs[i].first == pairs[i - 1].first ? 0 : 1);
      from_[pairs[i].first][source[i] / 64] |= bit(source[i]);
    }
    for (std::size_t v = first.index() + 1; v <= last.index(); ++v)
      for (NodeId u : graph_.predecessors(NodeId(v)))
        for (std::size_t word = 0; u >= first && word < kWords; ++word)
          from_[NodeId(v)][word] |= from_[u][word];
    for (std::size_t i = 0; i < pairs.size(); ++i)
      if ((from_[pairs[i].second][source[i] / 64] & bit(source[i])) == 0)
        unordered->push_back(pairs[i]);
  }

 private:
  static constexpr std::size_t kWords = kMostSources / 64;
  using Bits = std::array<std::uint64_t, kWords>;
  static std::uint64_t bit(std::size_t source) { return std::uint64_t{1} << (source % 64); }

  const Graph& graph_;
  IdVector<NodeId, Bits> from_;
};

bool is_direct(const Graph& graph, const AccessPair& pair) {
  const auto before = graph.predecessors(pair.second);
  return std::binary_search(before.begin(), before.end(), pair.first);
}

}  // namespace

std::vector<AccessPair> access_pairs(const Graph& graph) {
  IdVector<TensorId, std::uint8_t> is_written(graph.num_tensors(), 0);
  for (NodeId v : graph.nodes())
    for (TensorId t : graph.mutates(v)) is_written[t] = 1;
  IdVector<TensorId, Accesses> accesses(graph.num_tensors());
  std::vector<AccessPair> pairs;
  for (NodeId v : graph.nodes()) {
    for (TensorId t : graph.mutates(v)) {
      Accesses& of = accesses[t];
      for (NodeId reader : of.readers) pairs.push_back({reader, v, t});
      if (of.readers.empty() && !of.last_write.is_none()) pairs.push_back({of.last_write, v, t});
      of = {v, {}};
    }
    for (TensorId t : graph.inputs(v)) {
      if (!is_written[t] || accesses[t].last_write == v) continue;
      if (!accesses[t].last_write.is_none()) pairs.push_back({accesses[t].last_write, v, t});
      accesses[t].readers.push_back(v);
    }
  }
  return pairs;
}

std::vector<AccessPair> unordered_accesses(const Graph& graph) {
  std::vector<AccessPair> open = access_pairs(graph);
  std::erase_if(open, [&](const AccessPair& pair) { return is_direct(graph, pair); });
  if (open.empty()) return open;
  const Backbone backbone(graph);
  std::erase_if(open,
                [&](const AccessPair& pair) { return backbone.connects(pair.first, pair.second); });
  std::stable_sort(open.begin(), open.end(),
                   [](const AccessPair& a, const AccessPair& b) { return a.first < b.first; });
  std::vector<AccessPair> unordered;
  Paths paths(graph);
  for (std::size_t begin = 0; begin < open.size();) {
    std::size_t end = begin;
    for (std::size_t sources = 0; end < open.size(); ++end)
      if ((end == begin || open[end].first != open[end - 1].first) &&
          ++sources > Paths::kMostSources)
        break;
    paths.keep_unordered(std::span(open).subspan(begin, end - begin), &unordered);
    begin = end;
  }
  std::stable_sort(unordered.begin(), unordered.end(),
                   [](const AccessPair& a, const AccessPair& b) { return a.second < b.second; });
  return unordered;
}

std::string describe(const Graph& graph, const AccessPair& pair) {
  const auto node = [&](NodeId v) { return "node " + quote(graph.node_name(v)); };
  const auto does = [&](NodeId v) {
    return holds(graph.mutates(v), pair.tensor) ? "writes" : "reads";
  };
  return node(pair.second) + " " + does(pair.second) + " tensor " +
         quote(graph.tensor_name(pair.tensor)) + " and may overtake " + node(pair.first) +
         ", which " + does(pair.first) +
         " it before: no input, output or after keeps them in order";
}

}  // namespace lowtide
