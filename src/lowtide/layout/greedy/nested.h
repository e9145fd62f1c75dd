// Which buffer of least rank lies within a stretch of time? Buffers are taken out one by one.
//
// A buffer is the point (first section, last section); those within [first, last] are a quadrant. A
// static k-d tree, cut at medians of the two coordinates in turn, keeps for each node the bounding
// box and the least rank of what is left in it: whole subtrees are skipped if they are outside, or
// rank higher than what was found, and answered at once if they are inside.
//
// Cost: O(n log n) to build, O(log n) to take one out, O(sqrt n) at worst to find one and far less
// in practice; some 20 bytes a buffer.
#pragma once

#include <vector>

#include "lowtide/layout/sections.h"

namespace lowtide {

class Nested {
 public:
  static constexpr int kNone = -1;

  // By rank; empty ranges are in no stretch.
  explicit Nested(const std::vector<SectionRange>& ranges);

  // The least rank within `stretch`, or kNone.
  int least_within(SectionRange stretch) const;
  void take_out(int rank);

 private:
  struct Point {
    SectionRange range;
    int rank;
  };
  struct Node {
    SectionRange inner;  // every point contains it: [highest first, lowest last]
    SectionRange outer;  // every point lies in it
    int least;           // rank left, or kGone
  };
  static constexpr int kGone = 2'147'483'647;
  static constexpr std::size_t kLeaf = 8;

  void build(std::size_t node, std::size_t begin, std::size_t end, bool by_first);
  void search(std::size_t node, std::size_t begin, std::size_t end, SectionRange stretch,
              int* least) const;
  void refresh(std::size_t node, std::size_t begin, std::size_t end, std::size_t changed);

  std::vector<Point> points_;       // a node has a stretch of them, its children the halves
  std::vector<std::size_t> where_;  // by rank
  std::vector<Node> nodes_;         // as in a heap: children of i are 2 i + 1 and 2 i + 2
};

}  // namespace lowtide
