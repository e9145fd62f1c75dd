// Ranks for the canonical search: which of two buffers that could stand equally low goes first.
//
// Search times are heavy-tailed: on the same instance one ranking needs 400 nodes and its neighbour
// more than a million, and no ranking is best on all. So there is a list of them, most promising
// first, and beyond its end the same ones with noise on the keys, without end.
#pragma once

#include <cstdint>
#include <vector>

#include "lowtide/layout/instance.h"

namespace lowtide {

// The index-th ranking of an instance: every buffer once. A function of its arguments alone.
std::vector<int> ranking(const Instance& instance, int index, std::uint64_t seed);

// How many are without noise.
int num_plain_rankings();

}  // namespace lowtide
