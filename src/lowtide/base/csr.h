// Immutable adjacency in compressed sparse rows: for each From id a span of To ids.
//
// Two flat arrays whatever the number of rows, so that a graph of a million nodes costs a few
// dozen bytes a node and walking it stays in cache.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "lowtide/base/id.h"

namespace lowtide {

template <class From, class To>
class Csr {
 public:
  Csr() : begin_(1, 0) {}

  // Rows in the order given: row i becomes the span of From(i).
  static Csr from_rows(const std::vector<std::vector<To>>& rows) {
    Csr csr;
    csr.begin_.reserve(rows.size() + 1);
    for (const auto& row : rows) csr.push_row(row);
    return csr;
  }

  // Pairs in any order; within a row the order of the pairs is kept. O(pairs + num_rows).
  static Csr from_pairs(std::size_t num_rows, const std::vector<std::pair<From, To>>& pairs) {
    Csr csr;
    csr.begin_.assign(num_rows + 1, 0);
    for (const auto& [from, to] : pairs) ++csr.begin_[from.index() + 1];
    for (std::size_t i = 0; i < num_rows; ++i) csr.begin_[i + 1] += csr.begin_[i];
    csr.items_.resize(pairs.size());
    std::vector<std::uint32_t> next(csr.begin_.begin(), csr.begin_.end() - 1);
    for (const auto& [from, to] : pairs) csr.items_[next[from.index()]++] = to;
    return csr;
  }

  template <class Range>
  void push_row(const Range& row) {
    items_.insert(items_.end(), row.begin(), row.end());
    begin_.push_back(static_cast<std::uint32_t>(items_.size()));
  }

  // The reverse adjacency; rows come out sorted by From.
  Csr<To, From> transposed(std::size_t num_to) const {
    std::vector<std::pair<To, From>> pairs;
    pairs.reserve(items_.size());
    for (From from : IdRange<From>(num_rows()))
      for (To to : (*this)[from]) pairs.emplace_back(to, from);
    return Csr<To, From>::from_pairs(num_to, pairs);
  }

  std::span<const To> operator[](From from) const {
    return {items_.data() + begin_[from.index()], items_.data() + begin_[from.index() + 1]};
  }
  std::size_t num_rows() const { return begin_.size() - 1; }
  std::size_t num_items() const { return items_.size(); }

 private:
  std::vector<std::uint32_t> begin_;
  std::vector<To> items_;
};

}  // namespace lowtide
