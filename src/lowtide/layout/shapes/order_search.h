// Local search over orders of shapes: each is placed where it fits lowest among those before it
// (layout/shapes/shape_fit), so an order is a layout.
//
//   squeaky  (Joslin and Clements 1999) shapes that ended above what is wanted come earlier next
//            time; the order learns which ones are hard. From the orders by area and lifetime in
//            turn, anew when it has not helped for a while
//   moves    of few shapes also, in turn with it: of the best layout's order by offset (fitted in
//            it, rectangles end no higher) one shape comes earlier, or two trade places. Accepted
//            if the overshoot is not above what it was 30 orders ago (late acceptance; Burke and
//            Bykov 2017): over the shapes that end above a mark a little below the best height, the
//            sum of the squares of how far; the height alone says nothing about progress
//
// Dives (layout/shapes/shape_dive) are no help where shapes have parts far apart in time: the one
// that can go lowest is rarely the one that should. Cost: one fit an order.
#pragma once

#include <random>
#include <vector>

#include "lowtide/base/limits.h"
#include "lowtide/layout/shapes/shape_pieces.h"

namespace lowtide {

class OrderSearch {
 public:
  // `first`: an order to start with.
  OrderSearch(const ShapeProblem& problem, std::vector<BufferId> first, std::uint64_t seed);

  // The best of `best` and of that many orders; stops at `good_enough`. Goes on from call to call
  // unless `best` comes from elsewhere.
  Layout improve(Layout best, Bytes good_enough, int orders, Meter* meter);

 private:
  using Order = std::vector<BufferId>;

  bool squeak(Bytes good_enough, Layout* best, Meter* meter);
  void restart_wheel();
  Order noisy_order(bool by_area);
  bool move(Bytes good_enough, Layout* best, Meter* meter);
  void start_from(const Layout& layout);
  Order changed();
  std::size_t position_to_change();
  double overshoot(const Layout& layout) const;
  void keep(Order order, const Layout& layout);
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_() % n); }

  const ShapeProblem& problem_;
  ShapePieces pieces_;
  std::mt19937_64 random_;
  IdVector<BufferId, double> urgency_;  // of the squeaky wheel
  Order first_;                         // the wheel's first start
  int wheel_ = 0;                       // how often it was started
  int stale_ = 0;                       // orders since it helped
  Bytes wheel_height_ = kMaxBytes;      // its lowest since it was started

  Order order_;                     // of the moves
  IdVector<BufferId, Bytes> ends_;  // in the layout of order_
  Bytes mark_ = 0;
  Bytes height_ = -1;            // of the best layout known here
  std::vector<double> history_;  // of overshoots, a ring; empty before the first order
  std::size_t tried_ = 0;
};

}  // namespace lowtide
