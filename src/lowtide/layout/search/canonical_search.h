// Exact search for a layout of at most a given height: depth first over canonical placements.
//
// Canonical layouts. Push every buffer down until it rests on another one or on the floor, and list
// them by (offset, rank): each then stands exactly on the skyline of those before it. So a search
// that only ever places a buffer on the skyline, at or above the last offset, meets every layout
// that matters. Of all layouts within the capacity let S be one whose offsets have the least sum
// (among identical buffers, in order of rank). Every rule below keeps S, so exhausting the tree
// proves that there is none.
//
//   position   of an unplaced buffer: the height of the skyline over its sections, aligned
//   earliest   >= position: what the rules have proved about its offset in S
//
// Rules
//   dominance   nothing goes at or above min(position + size) over the unplaced: that buffer could
//               move down into the hole, and S would not have the least sum
//   sections    the buffers left in a section need `rest` bytes, so one of them starts at or below
//               capacity - rest. A witness for each section, kept until it is raised, makes this
//               cheap: most placements look at no section twice (the watched literals of SAT)
//   hatless     a buffer that raises nobody can always stand where it is: no alternatives
//   skipped     a candidate that was tried in vain is not at its position in S; it stands on some
//               buffer that is still to come, so its earliest offset rises
//   identical   buffers alike in all respects are placed in order of rank
//   firsts      (propagation only) in a section only buffers with earliest <= capacity - rest can
//               be the next; all others come after the first of them to end. A lone one pushes all
//               others. Each rise may change other sections: a worklist to the fixpoint
//   split       where no unplaced buffer crosses a boundary of sections, both sides are searched
//               apart, ranked anew by the loads left: a failure on one never retries the other. No
//               rule depends on which of several buffers at one offset is placed first, so ranks
//               may differ from node to node
//
// Ideas: MiniMalloc (Moffitt, ASPLOS 2023) for canonical placements, dominance, hatless and
// sections; edge-finding in disjunctive scheduling (Carlier and Pinson 1989) for firsts.
//
// Cost: O(unplaced + sections touched) a placement tried, a microsecond for 400 buffers; with
// propagation 3 to 10 times that (100 for 1400 buffers), and up to 100 times fewer of them on tight
// instances.
#pragma once

#include <vector>

#include "lowtide/base/limits.h"
#include "lowtide/layout/search/instance.h"
#include "lowtide/layout/search/outcome.h"
#include "lowtide/layout/search/ranking.h"

namespace lowtide {

class CanonicalSearch {
 public:
  explicit CanonicalSearch(const Instance& instance);

  // `propagate`: apply `firsts`. Spends one step of the meter a placement tried, also where that
  // fails at once (on large instances most do); kStopped if the meter ends it, kExhausted is a
  // proof.
  Outcome run(const Ranking& ranking, Bytes capacity, bool propagate, Meter* meter);

  // After kFound: by buffer, in units.
  const std::vector<Bytes>& offsets() const { return offset_; }

 private:
  enum class Change : unsigned char { kPosition, kEarliest, kPlaced };
  struct Undo {
    Change change;
    int buffer;
    Bytes old;
  };
  // The unplaced buffers of a stretch of time: unplaced_[begin, end).
  struct Group {
    int begin;
    int end;
  };

  void reset(const std::vector<int>& order);
  void link_identical(const std::vector<int>& order);
  bool search(Group group, Bytes last_offset);
  void collect_candidates(Group group, Bytes last_offset);
  bool try_candidate(int buffer, Group group, bool* hatless);
  bool search_rest(int buffer, Group group, Bytes offset);
  bool is_cut_by(int buffer) const;
  std::vector<Group> split(int buffer, Group group);
  void rank_anew(Group group);

  void place(int buffer, Bytes offset);
  bool raise_neighbours(int buffer, Group group, bool* hatless);
  bool skip(int buffer, Group group);
  bool raise_earliest(int buffer, Bytes to);
  void touch(SectionRange range);
  void touch_where_it_matters(int buffer);
  bool check_touched();
  bool has_witness(int section);
  bool firsts(int section);
  bool raise_others(int section, Bytes highest, Bytes end);
  void undo_to(std::size_t mark);

  Bytes align(int buffer, Bytes offset) const {
    const Bytes a = alignment_[static_cast<std::size_t>(buffer)];
    return a == 1 ? offset : (offset + a - 1) / a * a;
  }
  bool is_placed(int buffer) const { return offset_[static_cast<std::size_t>(buffer)] >= 0; }

  const Instance& instance_;
  const std::vector<SectionRange>& range_;
  const std::vector<Bytes>& size_;
  const std::vector<Bytes>& alignment_;
  Bytes capacity_ = 0;
  bool propagate_ = false;
  const Ranking* ranking_ = nullptr;
  Meter* meter_ = nullptr;

  std::vector<int> rank_;        // by buffer
  std::vector<int> identical_;   // the identical buffer just before it in rank, or -1
  std::vector<Bytes> position_;  // kMaxBytes / 2 once placed
  std::vector<Bytes> earliest_;  // likewise
  std::vector<Bytes> offset_;    // -1: not placed
  std::vector<Bytes> rest_;      // per section: bytes of its unplaced buffers
  std::vector<int> crossing_;    // per section: unplaced buffers that reach the next one
  std::vector<int> witness_;     // per section
  std::vector<int> unplaced_;    // a permutation of the buffers; groups are stretches of it
  std::vector<int> where_;       // by buffer: its place in unplaced_
  std::vector<int> candidates_;  // a stack: each node's are above its parent's
  std::vector<Undo> trail_;
  std::vector<int> touched_;  // sections to check
  std::vector<char> is_touched_;
  int failed_ = 0;   // the section whose rule failed last
  Bytes floor_ = 0;  // the last offset: nothing to come is below it
};

}  // namespace lowtide
