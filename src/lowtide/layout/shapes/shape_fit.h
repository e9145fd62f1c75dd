// Heuristics for shapes: in some order, each where it fits among those placed before it. Orders by
// start, size, area, lifetime; the start also with the tightest gap instead of the lowest
// (layout/greedy/fit does the same for rectangles). layout/shapes/order_search looks for better
// orders.
//
// A shape may go under, into or over what is placed: its neighbours' pieces forbid it a set of
// intervals, and it takes an offset outside of all of them.
#pragma once

#include <optional>
#include <vector>

#include "lowtide/base/limits.h"
#include "lowtide/layout/shapes/shape_pieces.h"

namespace lowtide {

// Every shape on top of the ones before it: an answer when there is no time for another.
Layout stacked(const ShapeProblem& problem);

struct Fitted {
  Layout layout;
  std::vector<BufferId> order;  // that came to it; none if there was no time for any
};

// The lowest layout found; stops at `good_enough`. Shapes with a fixed offset are placed first,
// then those with a hint (-1: none), where it is free.
Fitted fit_shapes(const ShapeProblem& problem, const IdVector<BufferId, Bytes>& hints,
                  Bytes good_enough, const Limits& limits);

// Each shape where it fits lowest among those before it; nothing if the meter stopped it. Those
// with a fixed offset come first.
std::optional<Layout> fit_in_order(const ShapeProblem& problem, const ShapePieces& pieces,
                                   const std::vector<BufferId>& order, Meter* meter);

}  // namespace lowtide
