// The down-sets whose completions a budget search has exhausted, as 128-bit hashes in open
// addressing. It grows up to its memory; then new entries replace old ones: the search goes on and
// only repeats some work. (Two sets of one hash would make the search wrong: at 10^9 entries the
// chance is 10^-20.)
#pragma once

#include <cstdint>
#include <vector>

#include "lowtide/order/search/walk.h"

namespace lowtide {

class DeadTable {
 public:
  explicit DeadTable(std::int64_t max_bytes);

  void insert(SetHash hash);
  bool contains(SetHash hash) const;
  // While it grows it holds half as much again.
  std::size_t bytes() const { return slots_.size() * sizeof(SetHash); }

 private:
  static constexpr std::size_t kFirstSlots = 256;
  static constexpr std::size_t kProbes = 8;

  void grow();
  std::size_t slot(SetHash hash, std::size_t probe) const {
    return (hash[0] + probe) & (slots_.size() - 1);
  }

  std::size_t max_slots_;
  std::size_t used_ = 0;
  std::vector<SetHash> slots_;  // a power of two of them; {0, 0} is empty
};

}  // namespace lowtide
