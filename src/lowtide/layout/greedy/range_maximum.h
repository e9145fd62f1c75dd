// Maxima over ranges of a fixed array: a segment tree of 2 n values, O(log n) a query.
#pragma once

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "lowtide/layout/sections.h"

namespace lowtide {

template <class T>
class RangeMaximum {
 public:
  explicit RangeMaximum(const std::vector<T>& values) : tree_(2 * values.size()) {
    std::copy(values.begin(), values.end(),
              tree_.begin() + static_cast<std::ptrdiff_t>(values.size()));
    for (std::size_t i = values.size(); i-- > 1;)
      tree_[i] = std::max(tree_[2 * i], tree_[2 * i + 1]);
  }

  // Lowest of all where the range is empty.
  T over(SectionRange range) const {
    T most = std::numeric_limits<T>::lowest();
    if (range.empty()) return most;
    std::size_t begin = tree_.size() / 2 + static_cast<std::size_t>(range.first);
    std::size_t end = tree_.size() / 2 + static_cast<std::size_t>(range.last) + 1;
    for (; begin < end; begin /= 2, end /= 2) {
      if (begin % 2 == 1) most = std::max(most, tree_[begin++]);
      if (end % 2 == 1) most = std::max(most, tree_[--end]);
    }
    return most;
  }

 private:
  std::vector<T> tree_;  // leaves in the second half; i has the children 2 i and 2 i + 1
};

}  // namespace lowtide
