// Ranks for the canonical search: which of two buffers that could stand equally low goes first.
//
// Search times are heavy-tailed: on the same instance one ranking needs 400 nodes and its neighbour
// more than a million, and no ranking is best on all. So there is a list of them, most promising
// first, and beyond its end the same ones with noise on the keys, without end.
//
// Where a search splits the rest of an instance, the parts are ranked anew by the loads that are
// left.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "lowtide/layout/search/instance.h"

namespace lowtide {

class Ranking {
 public:
  // The index-th ranking of an instance; a function of the arguments alone.
  Ranking(const Instance& instance, int index, std::uint64_t seed);

  // How many are without noise.
  static int num_plain();

  // Sorts buffers, the first to go first, by what they weigh where `load` bytes a section are
  // still to be placed. Ties keep their order.
  void sort(std::vector<int>::iterator begin, std::vector<int>::iterator end,
            const std::vector<Bytes>& load) const;

  // All buffers, by the loads of the instance.
  std::vector<int> order() const;

 private:
  using Keys = std::array<double, 3>;
  Keys keys_of(int buffer, const std::vector<Bytes>& load) const;

  const Instance& instance_;
  std::size_t row_;
  std::uint64_t noise_seed_;
  double noise_;  // strength
};

}  // namespace lowtide
