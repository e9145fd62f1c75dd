#include "lowtide/order/search/symmetry.h"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

namespace lowtide {
namespace {

constexpr std::size_t kMaxPart = 1000;  // nodes

using Colour = std::uint64_t;

Colour mixed(Colour a, Colour b) {
  a = (a ^ (b + 0x9e3779b97f4a7c15ULL + (a << 6) + (a >> 2))) * 0xbf58476d1ce4e5b9ULL;
  return a ^ (a >> 31);
}

// Stable colours: alike to any distance, up to collisions (the swap is verified).
class Colouring {
 public:
  Colouring(const OrderProblem& problem, int max_rounds, Meter* meter)
      : problem_(problem), nodes_(problem.num_nodes()), tensors_(problem.num_tensors()) {
    for (NodeId v : problem.nodes()) nodes_[v] = static_cast<Colour>(own_bytes(problem, v));
    std::size_t classes = 0;
    for (int round = 0; round < max_rounds && !meter->stopped(); ++round) {
      refine();
      meter->spend(static_cast<std::int64_t>(
          problem.num_nodes() + 2 * problem.successors.num_items() + problem.inputs.num_items()));
      if (std::exchange(classes, num_classes()) == classes) break;
    }
  }
  const IdVector<NodeId, Colour>& nodes() const { return nodes_; }

 private:
  template <class Row, class Colours>
  static Colour sum(const Row& row, const Colours& colours) {  // in any order
    Colour total = 0;
    for (auto id : row) total += mixed(colours[id], 1);
    return total;
  }
  void refine() {
    for (TensorId t : problem_.tensors()) {
      const NodeId producer = problem_.producer[t];
      const Colour made = producer.is_none() ? 0 : nodes_[producer];
      const Colour fate = mixed(static_cast<Colour>(problem_.bytes[t]), problem_.kept[t]);
      tensors_[t] = mixed(mixed(fate, made), sum(problem_.consumers[t], nodes_));
    }
    IdVector<NodeId, Colour> next(nodes_.size());
    for (NodeId v : problem_.nodes()) {
      const Colour edges =
          mixed(sum(problem_.predecessors[v], nodes_), sum(problem_.successors[v], nodes_));
      const Colour data =
          mixed(sum(problem_.inputs[v], tensors_), sum(problem_.outputs[v], tensors_));
      next[v] = mixed(nodes_[v], mixed(edges, data));
    }
    nodes_ = std::move(next);
  }
  std::size_t num_classes() const {
    std::vector<Colour> sorted(nodes_.begin(), nodes_.end());
    std::sort(sorted.begin(), sorted.end());
    return static_cast<std::size_t>(std::unique(sorted.begin(), sorted.end()) - sorted.begin());
  }

  const OrderProblem& problem_;
  IdVector<NodeId, Colour> nodes_;
  IdVector<TensorId, Colour> tensors_;
};

// An involution: left[i] and right[i] change places, all other nodes stay.
struct Swap {
  std::vector<NodeId> left, right;
};

class SwapFinder {
 public:
  SwapFinder(const OrderProblem& problem, const IdVector<NodeId, Colour>& colours, Meter* meter)
      : problem_(problem), colours_(colours), meter_(meter), image_(problem.num_nodes()) {
    for (NodeId v : problem.nodes()) image_[v] = v;
  }

  // The swap that a <-> b calls for, if following it meets no contradiction.
  std::optional<Swap> find(NodeId a, NodeId b) {
    swap_ = {};
    bool good = pair(a, b);
    for (std::size_t i = 0; good && i < swap_.left.size(); ++i)
      good = swap_.left.size() <= kMaxPart && !meter_->stopped() &&
             follow(problem_.predecessors, swap_.left[i], swap_.right[i]) &&
             follow(problem_.successors, swap_.left[i], swap_.right[i]);
    good = good && is_automorphism();
    for (const auto* side : {&swap_.left, &swap_.right})
      for (NodeId v : *side) image_[v] = v;
    if (!good) return std::nullopt;
    return std::move(swap_);
  }

 private:
  bool pair(NodeId a, NodeId b) {
    if (image_[a] == b) return true;
    if (image_[a] != a || image_[b] != b || colours_[a] != colours_[b]) return false;
    image_[a] = b;
    image_[b] = a;
    swap_.left.push_back(a);
    swap_.right.push_back(b);
    return true;
  }

  // Neighbours that a and b share stay (or move already); the others change places by colour.
  bool follow(const Csr<NodeId, NodeId>& edges, NodeId a, NodeId b) {
    const auto of_a = edges[a];
    const auto of_b = edges[b];
    meter_->spend(static_cast<std::int64_t>(of_a.size() + of_b.size()));
    if (of_a.size() != of_b.size()) return false;
    auto only_a = rest(of_a, of_b);
    auto only_b = rest(of_b, of_a);
    if (only_a.size() != only_b.size()) return false;
    for (std::size_t i = 0; i < only_a.size(); ++i)
      if (!pair(only_a[i], only_b[i])) return false;
    return true;
  }
  // Nodes of `row` that are not in `other` and whose image is not either; by colour.
  template <class Row>
  std::vector<NodeId> rest(const Row& row, const Row& other) const {
    std::vector<NodeId> nodes;
    const auto has = [&](NodeId v) { return std::binary_search(other.begin(), other.end(), v); };
    for (NodeId v : row)
      if (!has(v) && !(image_[v] != v && has(image_[v]))) nodes.push_back(v);
    std::stable_sort(nodes.begin(), nodes.end(),
                     [&](NodeId v, NodeId w) { return colours_[v] < colours_[w]; });
    return nodes;
  }

  bool is_automorphism() const {
    for (const auto* side : {&swap_.left, &swap_.right})
      for (NodeId v : *side)
        if (own_bytes(problem_, v) != own_bytes(problem_, image_[v]) ||
            !maps_row(problem_.predecessors, v) || !maps_row(problem_.successors, v))
          return false;
    return maps_tensors();
  }
  bool maps_row(const Csr<NodeId, NodeId>& edges, NodeId v) const {
    const auto target = edges[image_[v]];
    const auto row = images(edges[v]);
    return std::equal(row.begin(), row.end(), target.begin(), target.end());
  }
  template <class Row>
  std::vector<NodeId> images(const Row& row) const {
    std::vector<NodeId> mapped;
    for (NodeId v : row) mapped.push_back(image_[v]);
    std::sort(mapped.begin(), mapped.end());
    meter_->spend(static_cast<std::int64_t>(mapped.size()));
    return mapped;
  }

  // The tensors that touch a node that moves are the same, as a whole, after the swap.
  using TensorKey = std::tuple<Bytes, bool, NodeId, std::vector<NodeId>>;
  bool maps_tensors() const {
    std::vector<TensorId> touched;
    for (const auto* side : {&swap_.left, &swap_.right})
      for (NodeId v : *side)
        for (const auto* tensors : {&problem_.inputs, &problem_.outputs})
          touched.insert(touched.end(), (*tensors)[v].begin(), (*tensors)[v].end());
    std::sort(touched.begin(), touched.end());
    touched.erase(std::unique(touched.begin(), touched.end()), touched.end());
    std::vector<TensorKey> before, after;
    for (TensorId t : touched) {
      const NodeId producer = problem_.producer[t];
      const auto readers = problem_.consumers[t];
      const bool kept = problem_.kept[t] != 0;
      before.emplace_back(problem_.bytes[t], kept, producer,
                          std::vector<NodeId>(readers.begin(), readers.end()));
      after.emplace_back(problem_.bytes[t], kept, producer.is_none() ? producer : image_[producer],
                         images(readers));
    }
    std::sort(before.begin(), before.end());
    std::sort(after.begin(), after.end());
    return before == after;
  }

  const OrderProblem& problem_;
  const IdVector<NodeId, Colour>& colours_;
  Meter* meter_;
  IdVector<NodeId, NodeId> image_;
  Swap swap_;
};

class Chainer {
 public:
  Chainer(const OrderProblem& problem, const IdVector<NodeId, Colour>& colours, Meter* meter)
      : finder_(problem, colours, meter), meter_(meter), taken_(problem.num_nodes(), 0) {}

  // `alike`: nodes of one colour, in the order of the guide.
  void chain(const std::vector<NodeId>& alike) {
    std::vector<NodeId> last;  // the part at the end of the chain, sorted
    for (std::size_t i = 0; i + 1 < alike.size() && !meter_->stopped(); ++i) {
      const NodeId a = alike[i], b = alike[i + 1];
      const bool goes_on = !last.empty();
      if (taken_[b] || (taken_[a] && !goes_on)) {
        last.clear();
        continue;
      }
      auto swap = finder_.find(a, b);
      if (swap) {
        std::sort(swap->left.begin(), swap->left.end());
        std::sort(swap->right.begin(), swap->right.end());
      }
      if (!swap || !is_free(swap->right) || !(goes_on ? swap->left == last : is_free(swap->left))) {
        last.clear();
        continue;
      }
      take(swap->left);
      take(swap->right);
      found_.push_back({a, b});
      last = std::move(swap->right);
    }
  }
  std::vector<Precedence> found() && { return std::move(found_); }

 private:
  bool is_free(const std::vector<NodeId>& part) const {
    return std::none_of(part.begin(), part.end(), [&](NodeId v) { return taken_[v] != 0; });
  }
  void take(const std::vector<NodeId>& part) {
    for (NodeId v : part) taken_[v] = 1;
  }

  SwapFinder finder_;
  Meter* meter_;
  IdVector<NodeId, std::uint8_t> taken_;  // in a part of a chain
  std::vector<Precedence> found_;
};

}  // namespace

std::vector<Precedence> symmetry_precedences(const OrderProblem& problem, const Schedule& guide,
                                             Meter* meter, int rounds) {
  if (problem.reuses.num_items() > 0) return {};
  const Colouring colouring(problem, rounds, meter);
  std::map<std::pair<Bytes, Colour>, std::vector<NodeId>, std::greater<>> classes;
  for (NodeId v : guide) classes[{own_bytes(problem, v), colouring.nodes()[v]}].push_back(v);
  Chainer chainer(problem, colouring.nodes(), meter);
  for (const auto& [key, alike] : classes)
    if (alike.size() > 1) chainer.chain(alike);
  return std::move(chainer).found();
}

}  // namespace lowtide
