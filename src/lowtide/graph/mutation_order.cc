#include "lowtide/graph/mutation_order.h"

#include <algorithm>
#include <array>
#include <cstdint>

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

// Paths from up to 512 sources at once: a bit each, carried along the arcs in program order.
class Paths {
 public:
  static constexpr std::size_t kMostSources = 512;

  explicit Paths(const Graph& graph) : graph_(graph), from_(graph.num_nodes()) {}

  // pairs: sorted by `first`, of at most kMostSources different ones. Keeps those without a path.
  void keep_unordered(std::span<const AccessPair> pairs, std::vector<AccessPair>* unordered) {
    from_.assign(graph_.num_nodes(), Bits{});
    std::vector<std::size_t> source(pairs.size(), 0);
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      source[i] = i == 0 ? 0 : source[i - 1] + (pairs[i].first == pairs[i - 1].first ? 0 : 1);
      from_[pairs[i].first][source[i] / 64] |= bit(source[i]);
    }
    NodeId last = pairs.front().second;
    for (const AccessPair& pair : pairs) last = std::max(last, pair.second);
    for (std::size_t v = pairs.front().first.index() + 1; v <= last.index(); ++v)
      for (NodeId u : graph_.predecessors(NodeId(v)))
        for (std::size_t word = 0; word < kWords; ++word) from_[NodeId(v)][word] |= from_[u][word];
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
