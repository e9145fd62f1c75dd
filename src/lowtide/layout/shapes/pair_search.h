// Exact search for a layout of shapes of at most a given height: which of two is above the other?
//
// For two shapes that are ever alive together the difference d = offset(b) - offset(a) must avoid
// the open intervals that their parts forbid. What is left are choices: rectangles have two (a
// below b, b below a), shapes with holes may have more.
//
//      d allowed   <------]   [------]      [----------->
//                  b below a  b within a    b above a
//
// A node bounds every offset from both sides. Choices that the bounds rule out are dropped; the
// outermost that are left bound the offsets in turn (difference constraints), to the fixpoint. If
// no pair is in conflict with all offsets at their lower bounds, that is a layout: raising nothing
// more than needed keeps alignments as well. Otherwise branch on a pair that is, between the
// choices below and above. Every pair is cut finitely often and a pair of one choice is kept by the
// fixpoint, so an exhausted search is a proof, for all shapes and alignments.
//
//   overload   in a section, the pieces that start at or above some height must fit between it and
//              the capacity: otherwise the node is dead
//   branch     on the pair whose cheaper choice raises an offset most (first fail)
//
// The canonical search on rectangles (layout/search/canonical_search) is far stronger, but needs
// that nothing can be put under what was placed. Cost: O(pairs + pieces) a node.
#pragma once

#include <vector>

#include "lowtide/base/limits.h"
#include "lowtide/layout/search/outcome.h"
#include "lowtide/layout/shapes/shape_pieces.h"

namespace lowtide {

class PairSearch {
 public:
  explicit PairSearch(const ShapeProblem& problem);

  // Spends a step of the meter for a node and one for each 32 pairs in it; kExhausted is a proof.
  Outcome run(Bytes capacity, Meter* meter);

  // After kFound.
  const IdVector<BufferId, Bytes>& offsets() const { return low_; }

 private:
  struct Choice {  // an interval of differences
    Bytes least;
    Bytes most;
  };
  struct Pair {
    BufferId a;
    BufferId b;
    std::vector<Choice> choices;  // ascending
    int first = 0;                // of those that are left
    int last = 0;
  };
  struct Branch {
    int pair = -1;
    int below = 0;  // the choice before the forbidden interval that the pair is in
  };
  enum class Change : unsigned char { kLow, kHigh, kFirst, kLast };
  struct Undo {
    Change change;
    int index;
    Bytes old;
  };

  void add_pair(BufferId a, BufferId b);
  bool search();
  bool take(const Branch& branch, bool above);
  Branch worst_conflict() const;
  bool propagate();
  bool narrow(int pair);
  bool raise_low(BufferId shape, Bytes to);
  bool lower_high(BufferId shape, Bytes to);
  void set_first(int pair, int first);
  void set_last(int pair, int last);
  bool has_overload() const;
  void wake(BufferId shape);
  void undo_to(std::size_t mark);

  struct Member {  // of a section
    BufferId shape;
    Bytes lower;
    Bytes upper;
  };

  const ShapeProblem& problem_;
  ShapePieces pieces_;
  std::vector<Pair> pairs_;
  IdVector<BufferId, std::vector<int>> pairs_of_;
  std::vector<std::vector<Member>> members_;  // by section
  IdVector<BufferId, Bytes> low_;
  IdVector<BufferId, Bytes> high_;
  std::vector<Undo> trail_;
  std::vector<BufferId> awake_;
  IdVector<BufferId, char> is_awake_;
  Bytes capacity_ = 0;
  Meter* meter_ = nullptr;
};

}  // namespace lowtide
