// In which order buffers are looked at: the lever of every layout heuristic.
#pragma once

#include <vector>

#include "lowtide/layout/sections.h"
#include "lowtide/model/layout_problem.h"

namespace lowtide {

enum class BufferKey {
  kStart,     // earliest first; among equals the larger
  kSize,      // this and the rest: largest first
  kLifetime,  // in steps
  kArea,      // size x lifetime
  kBreadth,   // bytes live at the busiest section of the buffer's lifetime
};

// By section.
std::vector<Bytes> live_bytes(const LayoutProblem& problem, const Sections& sections);

// Sorted by the keys in turn, ties by id. O(n log n).
std::vector<BufferId> sorted_buffers(const LayoutProblem& problem, const Sections& sections,
                                     const std::vector<BufferKey>& keys);

}  // namespace lowtide
