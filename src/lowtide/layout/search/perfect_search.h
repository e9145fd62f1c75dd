// Exact search for a perfect packing: a layout of an instance whose every section is full, so that
// not one byte may stay free below the capacity. Then every section is a stack without gaps, and
// the next buffer of a section stands exactly on its floor, the bytes placed in it so far.
//
//   pocket     a maximal stretch of sections of one floor that no buffer can leave yet: over each
//              of its two boundaries nothing crosses before both sides have risen further
//   node       what stands on the floor at an end of a pocket starts (or ends) there and lies
//   within
//              the pocket. The end with the fewest such buffers is branched on; none is a dead end
//
// Walls. How far must the two sides of a boundary rise before a buffer can cross it? Until then the
// left side takes only buffers that end there, the right side only buffers that start there. So the
// next crossing is at floor + y, where y is a sum of sizes of unplaced enders on the left, of
// unplaced starters on the right: at least the smallest such sums that bring both sides level. Real
// sizes seldom agree by accident, so the smallest sums are usually what the packing is made of:
// they are a bound, and the buffers that make them up are tried first.
//
// Cover. Below the lower of its two walls a pocket is filled by unplaced buffers that lie within
// it: each of its sections needs that many bytes of them.
//
// Guarantee: each rule only leaves out what no perfect packing has, so exhausting the tree proves
// that there is none. Alignments and fixed offsets only take candidates away. Cost: O(sections +
// unplaced) a node, a microsecond for 500 buffers, and subset sums of at most 2^10 at the two
// boundaries of a placed buffer.
//
// Ideas: skyline placement for perfect packing (Lesh, Marks, McMahon, Mitzenmacher 2004); fewest
// candidates first (Knuth's dancing links); weights of failed ends (Boussemart et al. 2004).
#pragma once

#include <cstdint>
#include <vector>

#include "lowtide/base/limits.h"
#include "lowtide/layout/search/instance.h"
#include "lowtide/layout/search/outcome.h"
#include "lowtide/layout/search/ranking.h"

namespace lowtide {

class PerfectSearch {
 public:
  explicit PerfectSearch(const Instance& instance);

  // Is every section of the instance full at this capacity?
  static bool applies(const Instance& instance, Bytes capacity);

  // Within the instance's load, where it applies. Spends one step of the meter a node; kExhausted
  // is a proof.
  Outcome run(const Ranking& ranking, Meter* meter);

  // After kFound: by buffer, in units.
  const std::vector<Bytes>& offsets() const { return offset_; }

 private:
  // A sum of sizes, and which buffers of a list of starters or enders make it (from the 63rd on
  // they share a bit).
  struct Sum {
    Bytes bytes = 0;
    std::uint64_t members = 0;
  };
  // What must still be placed on the two sides of a boundary before a buffer can cross it.
  struct Wall {
    Sum left, right;
  };
  struct Pocket {
    int first;
    int last;
  };
  struct End {
    Pocket pocket;
    bool is_left;
    double cost;  // the lower, the sooner
  };
  struct Undo {
    int boundary;  // or -1: a placement of `buffer`
    int buffer;
    Wall wall;
  };

  void reset(const Ranking& ranking);
  bool search();
  bool choose_end(End* best);
  bool consider(Pocket pocket, End* best);
  int last_of_pocket(int first) const;
  Bytes left_wall(Pocket pocket) const;
  Bytes right_wall(Pocket pocket) const;
  bool is_covered(Pocket pocket, Bytes height);
  template <class Visit>
  void visit_candidates(Pocket pocket, bool is_left, const Visit& visit) const;
  bool may_start_at(int buffer, Bytes offset) const;
  void collect_candidates(const End& end);
  int preference(int buffer, Pocket pocket) const;
  bool is_like_an_earlier(std::size_t base, std::size_t i) const;

  void place(int buffer);
  void set_wall(int boundary);
  Wall wall_at(int boundary);
  void subset_sums(const std::vector<int>& buffers, std::vector<Sum>* sums);
  void undo_to(std::size_t mark);

  bool is_placed(int buffer) const { return offset_[static_cast<std::size_t>(buffer)] >= 0; }

  const Instance& instance_;
  std::vector<std::vector<int>> starters_;  // by section
  std::vector<std::vector<int>> enders_;
  std::vector<int> start_index_;  // by buffer: its place among the starters of its first section
  std::vector<int> end_index_;    // and among the enders of its last
  Meter* meter_ = nullptr;

  std::vector<int> rank_;      // by buffer
  std::vector<Bytes> offset_;  // by buffer; -1: not placed
  int num_unplaced_ = 0;
  std::vector<Bytes> floor_;   // by section
  std::vector<int> crossing_;  // by boundary: unplaced buffers that cross it; boundary s is between
                               // sections s - 1 and s
  std::vector<Wall> wall_;     // by boundary
  std::vector<double> weight_;   // by section: failures at an end there
  std::vector<int> candidates_;  // a stack: each node's are above its parent's
  std::vector<Undo> trail_;
  std::vector<Bytes> cover_;  // scratch
  std::vector<Sum> left_sums_, right_sums_, merged_;
};

}  // namespace lowtide
