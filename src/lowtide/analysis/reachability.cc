#include "lowtide/analysis/reachability.h"

#include <algorithm>

namespace lowtide {

Reachability::Reachability(const Csr<NodeId, NodeId>& predecessors,
                           const Csr<NodeId, NodeId>& successors, std::int64_t max_bytes,
                           Meter* meter)
    : predecessors_(predecessors),
      successors_(successors),
      is_exact_(exact_bytes(successors.num_rows()) <= max_bytes) {
  if (is_exact_)
    fill_bits();
  else
    add_chains(meter);
}

void Reachability::fill_bits() {
  const std::size_t n = successors_.num_rows();
  words_ = (n + 63) / 64;
  bits_.assign(n * words_, 0);
  for (std::size_t v = n; v-- > 0;) {
    std::uint64_t* row = bits_.data() + v * words_;
    for (NodeId s : successors_[NodeId(v)]) {
      const std::size_t w = s.index();
      if ((row[w / 64] >> (w % 64)) & 1) continue;  // a nearer successor reaches it: so its row too
      row[w / 64] |= std::uint64_t{1} << (w % 64);
      const std::uint64_t* other = bits_.data() + w * words_;
      for (std::size_t i = w / 64; i < words_; ++i) row[i] |= other[i];
    }
  }
}

void Reachability::add_chains(Meter* meter) {
  std::vector<std::uint8_t> taken(successors_.num_rows(), 0);
  for (int i = 0; i < kMaxChains && !meter->stopped(); ++i) {
    const auto chain = longest_free_path(taken);
    if (chain.size() < 16) return;
    for (NodeId v : chain) taken[v.index()] = 1;
    index_chain(chain);
    meter->spend(static_cast<std::int64_t>(successors_.num_items()));
  }
}

std::vector<NodeId> Reachability::longest_free_path(const std::vector<std::uint8_t>& taken) const {
  const std::size_t n = taken.size();
  std::vector<std::int32_t> length(n, 0);
  std::vector<NodeId> next(n);
  NodeId start;
  for (std::size_t i = n; i-- > 0;) {
    if (taken[i]) continue;
    for (NodeId s : successors_[NodeId(i)]) {
      if (taken[s.index()] || length[s.index()] < length[i]) continue;
      length[i] = length[s.index()] + 1;
      next[i] = s;
    }
    if (start.is_none() || length[i] > length[start.index()]) start = NodeId(i);
  }
  std::vector<NodeId> path;
  for (NodeId v = start; !v.is_none(); v = next[v.index()]) path.push_back(v);
  return path;
}

void Reachability::index_chain(const std::vector<NodeId>& chain) {
  const std::size_t n = successors_.num_rows();
  const std::size_t base = static_cast<std::size_t>(num_chains_++) * n;
  first_reached_.resize(base + n, static_cast<std::int32_t>(n));
  last_reaching_.resize(base + n, -1);
  std::int32_t* first = first_reached_.data() + base;
  std::int32_t* last = last_reaching_.data() + base;
  for (std::size_t i = 0; i < chain.size(); ++i)
    first[chain[i].index()] = last[chain[i].index()] = static_cast<std::int32_t>(i);
  for (std::size_t v = n; v-- > 0;)
    for (NodeId s : successors_[NodeId(v)]) first[v] = std::min(first[v], first[s.index()]);
  for (std::size_t v = 0; v < n; ++v)
    for (NodeId p : predecessors_[NodeId(v)]) last[v] = std::max(last[v], last[p.index()]);
}

bool Reachability::reaches_by_chain(NodeId a, NodeId b) const {
  const std::size_t n = successors_.num_rows();
  for (int chain = 0; chain < num_chains_; ++chain) {
    const std::size_t base = static_cast<std::size_t>(chain) * n;
    if (first_reached_[base + a.index()] <= last_reaching_[base + b.index()]) return true;
  }
  return reaches_nearby(a, b);
}

bool Reachability::reaches_nearby(NodeId a, NodeId b) const {
  NodeId seen[kLocalNodes];
  int count = 0;
  seen[count++] = a;
  for (int i = 0; i < count; ++i) {
    for (NodeId s : successors_[seen[i]]) {
      if (s == b) return true;
      if (s > b || count == kLocalNodes || std::find(seen, seen + count, s) != seen + count)
        continue;
      seen[count++] = s;
    }
  }
  return false;
}

}  // namespace lowtide
