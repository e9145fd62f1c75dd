// Ejection pool: a layout within a capacity, looked for through layouts of some of the buffers.
//
// Some buffers are placed, the others wait. One that waits is put where what is in its way weighs
// least, and what is in its way waits from then on. Each time a buffer found no free place it gets
// heavier: what is hard to place is put out less and less often, and the others arrange themselves
// around it. Between two ejections a few buffers move to any place that is free for them.
//
//   Slack. A placed buffer has no offset, only an order among its neighbours, and with it a lowest
//   offset (all below it pushed down) and a highest one (all above it pushed up):
//
//     capacity +--------+        where a buffer X of this    is C in its way, at offset x?
//              |   A    |        size can go:                below X:  C.lowest + C.size <= x
//              |........|           +---+                    above X:  x + X.size <= C.highest
//              |   C    |           | X |                    in its way if neither: x is in an open
//              |........|           +---+                    interval, and these intervals with
//              |   B    |                                    their weights are all there is to
//            0 +--------+                                    look at
//
//   So free bytes that lie scattered in a section count as one gap. What can be above X stays above
//   it, the rest goes below; both are closed under the order, which is kept.
//
// Guarantee: what it returns is a layout within the capacity. It proves nothing.
// Cost: O(n log n) for a placement, 11 us for 200 buffers and 18 us for 400; it is counted as a
// step, or as one for every 512 buffers.
//
// Source: ejection pools with guided weights (Nagata and Braysy 2009, for routing); heads and tails
// of a disjunctive graph, as in job-shop scheduling, are what the slack is.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "lowtide/base/limits.h"
#include "lowtide/layout/search/floor.h"
#include "lowtide/layout/search/instance.h"

namespace lowtide {

class EjectionPool {
 public:
  // At first all buffers wait but the fixed ones.
  EjectionPool(const Instance& instance, std::uint64_t seed);

  // Searches until all buffers are placed within the capacity, which is at least the load: true; or
  // the meter stops it. Goes on from where it was, whatever the capacity was then.
  bool run(Bytes capacity, Meter* meter);

  // Of a run that returned true: the lowest ones.
  std::vector<Bytes> offsets() const;

 private:
  using Weight = std::int64_t;
  struct Placed {
    SectionRange range;
    Bytes size;
    Bytes lowest;
    Bytes highest;
    int buffer;
  };
  // The weight in the way changes at this offset.
  struct Change {
    Bytes at;
    Weight by;
  };
  struct Place {
    Bytes offset = 0;
    Weight weight = 0;  // of what is in the way
  };

  Placed pile_member(int buffer) const;
  void settle();
  void put_out_what_sticks_out();
  void place_next(Meter* meter);
  void move_any(Meter* meter);
  Place best_place(int buffer);
  void list_changes(int buffer, Bytes highest);
  void insert(int buffer, Bytes offset);
  void put_out(std::size_t i);

  Bytes lowest_on(Bytes floor, int buffer) const;
  Bytes highest_below(Bytes offset, int buffer) const;
  bool is_fixed(int buffer) const {
    return instance_.has_fixed &&
           instance_.fixed[static_cast<std::size_t>(buffer)] != Instance::kNotFixed;
  }
  std::int64_t steps_a_placement() const {
    return 1 + static_cast<std::int64_t>(pile_.size() / 512);
  }
  std::size_t below(std::size_t count) { return random_() % count; }

  const Instance& instance_;
  std::mt19937_64 random_;
  Bytes capacity_ = 0;
  std::vector<Placed> pile_;  // every buffer after those it stands on
  std::vector<int> waiting_;
  std::vector<Weight> base_;    // by buffer: its weight at first, in tenths
  std::vector<Weight> weight_;  // now
  Floor floor_;
  std::vector<Change> changes_;
  std::vector<Placed> above_;
};

}  // namespace lowtide
