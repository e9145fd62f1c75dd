// Time, cut where it matters: between two neighbouring starts nothing new can come alive, so a
// section is a maximal run of steps [start, next start). Every solver works on sections, not on
// steps.
//
//   steps    0 1 2 3 4 5 6 7
//   a        #####                 sections: [0,2) [2,5) [5,8): a lives in 0..1, b in 1..2, c in 2
//   b            #########
//   c                  ###
//
// A buffer that dies inside a section counts as live in all of it: nothing could use its bytes
// before the next start anyway.
#pragma once

#include <vector>

#include "lowtide/model/layout_problem.h"

namespace lowtide {

// The sections a buffer lives in: [first, last], empty if last < first.
struct SectionRange {
  int first = 0;
  int last = -1;
  bool empty() const { return last < first; }
  int size() const { return last - first + 1; }
};

// Do two buffers live in a common section? Neither is empty. Searches ask this of every pair of
// neighbours: which ones overlap can't be foreseen, so without branches.
inline bool overlap(SectionRange a, SectionRange b) {
  return (a.first <= b.last) & (b.first <= a.last);
}

struct Sections {
  int count = 0;
  IdVector<BufferId, SectionRange> of;
};

// O(n log n).
Sections make_sections(const LayoutProblem& problem);

}  // namespace lowtide
