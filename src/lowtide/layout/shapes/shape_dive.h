// Dives for shapes: always the one that can go lowest, many times, in orders that learn.
//
// A floor a section: how high what was placed reaches there. A shape stands on the highest of the
// floors of its sections (less what its part starts above its offset); the lowest goes next, ties
// are decided by rank. Offsets come in non-decreasing order, so without windows every layout that
// can't be pushed down is some such order. Then all are fitted once more in that order, each where
// it fits lowest: what the floors had walled in is found, and nothing ends higher than in the dive.
//
// Ranks: lifetime, area, size, start; then the fullest section a shape lives in, where a section
// counts for what it came to in dives before, waste included (as layout/greedy/learning_dive does
// for rectangles), by lifetime and by area in turn, every other one with noise.
//
// Cost of a dive: a heap whose keys only grow (offsets are looked at again when they come up), and
// O(log n) a part for a segment tree of floors. Fixed offsets have no order: there is no dive.
#pragma once

#include <random>
#include <vector>

#include "lowtide/base/limits.h"
#include "lowtide/layout/shapes/shape_pieces.h"

namespace lowtide {

class ShapeDives {
 public:
  // What is learned goes on from call to call.
  ShapeDives(const ShapeProblem& problem, std::uint64_t seed);

  // The best of `best` and that many dives more; stops at `good_enough`.
  Layout improve(Layout best, Bytes good_enough, int dives, Meter* meter);

 private:
  std::vector<BufferId> ranked(int round);
  double fullest(BufferId b) const;
  std::vector<BufferId> dive(const std::vector<BufferId>& ranked, Meter* meter);
  void learn();

  const ShapeProblem& problem_;
  ShapePieces pieces_;
  std::mt19937_64 random_;
  bool has_fixed_ = false;
  int round_ = 0;
  IdVector<BufferId, double> steps_;
  IdVector<BufferId, double> area_;
  std::vector<double> fullness_;  // by section
  std::vector<Bytes> floors_;     // of the last dive
};

}  // namespace lowtide
