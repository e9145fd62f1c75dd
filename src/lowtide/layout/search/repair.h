// Repair: a layout that is a little too high is made to fit by moving a few buffers at a time.
//
// Where dives and searches end just above what is wanted, usually one or two buffers stick out of a
// thousand. A search by backtracking meets the mistake last; here it is looked for around them:
//
//   ruin      a buffer, every other time one that ends above the capacity, is taken out with 1 to
//             16 of those that live beside it
//   recreate  they go back one by one, in an order of their own, each to the lowest, the tightest
//             or the highest gap that holds it
//   accept    if they exceed the capacity by no more bytes than before; else nothing has changed
//
// Most accepted moves change nothing that counts: these walks on plateaus are what finds room.
// Which neighbours are taken out matters, and not the same on all instances: a run has a style.
//
// Guarantee: a valid layout at any time, no further above the capacity than it was. It proves
// nothing. Cost: O(buffers) a placement, 1 us for 200 buffers and 2.5 us for 1400; it is counted as
// a step.
//
// Ideas: ruin and recreate (Schrimpf et al. 2000); large neighbourhoods (Shaw 1998).
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "lowtide/base/limits.h"
#include "lowtide/base/unit_interval.h"
#include "lowtide/layout/search/instance.h"

namespace lowtide {

class Repair {
 public:
  enum class Style {
    kMixed,   // all kinds of neighbours in turn
    kSummit,  // the highest ones: they are the freest
  };

  Repair(const Instance& instance, Style style, std::uint64_t seed);

  // By buffer, in units: a valid layout to go on from.
  void start(const std::vector<Bytes>& offsets);

  // Walks until all buffers end at or below the capacity: true; or the meter stops it.
  bool run(Bytes capacity, Meter* meter);

  std::vector<Bytes> offsets() const;

 private:
  struct Placed {
    Bytes begin;
    Bytes end;
    SectionRange range;
    int buffer;
  };
  // By what the neighbours to take out are chosen.
  enum class Nearness { kWithin, kShort, kLevel, kHigh, kAny };
  enum class Order { kOffset, kLifetime, kSize, kArea, kAny };
  enum class Gap { kLowest, kTightest, kHighest, kEither };

  void find_above();
  std::size_t centre(std::int64_t move);
  void ruin(std::size_t centre, Nearness nearness);
  double distance(const Placed& from, const Placed& to, Nearness nearness);
  void take_out();
  bool recreate(Order order, Gap gap);
  double priority(const Placed& placed, Order order);
  Bytes find(int buffer, Gap gap) const;
  void place(int buffer, Bytes offset);
  Bytes excess(Bytes begin, Bytes end) const;

  double unit() { return unit_interval(random_()); }
  std::size_t below(std::size_t count) { return random_() % count; }
  template <class Kind>
  Kind any(Kind last) {
    return static_cast<Kind>(below(static_cast<std::size_t>(last) + 1));
  }

  const Instance& instance_;
  Style style_;
  std::mt19937_64 random_;
  Bytes capacity_ = 0;
  std::vector<Placed> pile_;                            // from the lowest begin up
  std::vector<std::size_t> above_;                      // whose in the pile end above the capacity
  std::vector<Placed> saved_;                           // the pile before the move
  std::vector<Placed> out_;                             // what was taken out
  std::vector<std::pair<double, std::size_t>> chosen_;  // the nearest, by their place in the pile
  std::vector<std::pair<double, int>> queue_;           // what is to go back
};

}  // namespace lowtide
