// A placer for programs that plan again and again: plain spans in and out, and no allocation once
// it has seen a problem of the size.
//
//   LayoutPlanner planner;
//   const auto [height, bound] = planner.place(buffers, offsets);   // std::span<const Buffer>,
//   <Bytes>
//
// Greedy, in four orders until one meets the lower bound (which proves it optimal): each buffer
// into the lowest gap among those placed that live at the same time. Fixed offsets and alignments
// are kept. Cost: O(n^2) with a small constant, 2 000 buffers in some milliseconds; for more
// buffers, or proofs, take a solver (layout/solvers).
#pragma once

#include <span>
#include <utility>
#include <vector>

#include "lowtide/model/layout_problem.h"

namespace lowtide {

class LayoutPlanner {
 public:
  struct Result {
    Bytes height;
    Bytes lower_bound;  // no layout is lower
    bool is_optimal() const { return height == lower_bound; }
  };

  // offsets[i] is set for buffers[i]. Throws InputError (graph/error.h), with nothing set, if a
  // buffer makes no sense or numbers are too large (model/request_faults.h). Requires fixed offsets
  // that don't collide.
  Result place(std::span<const Buffer> buffers, std::span<Bytes> offsets);

  // Memory for so many buffers at once.
  void reserve(std::size_t num_buffers);

 private:
  struct Placed {
    Bytes begin;
    Bytes end;
    Interval lifetime;
  };

  Bytes lower_bound(std::span<const Buffer> buffers);
  Bytes fit(std::span<const Buffer> buffers);
  Bytes lowest_gap(const Buffer& buffer) const;
  Bytes put(const Buffer& buffer, Bytes offset);

  std::vector<std::pair<Step, Bytes>> changes_;  // of the live bytes
  std::vector<std::uint32_t> order_;
  std::vector<Placed> placed_;  // by begin
  std::vector<Bytes> trial_;    // offsets
};

}  // namespace lowtide
