// Heuristics for shapes: in some order, each where it fits among those placed before it; then in
// better and better orders.
//
//   orders   by start, size, area, lifetime; the start also with the tightest gap instead of the
//            lowest (layout/fit does the same for rectangles)
//   squeaky  (Joslin and Clements 1999) shapes that ended above what is wanted come earlier the
//   next
//            time; the order learns which ones are hard
//
// A shape may go under, into or over what is placed: its neighbours' pieces forbid it a set of
// intervals, and it takes an offset outside of all of them.
#pragma once

#include <vector>

#include "lowtide/base/limits.h"
#include "lowtide/layout/shape_pieces.h"

namespace lowtide {

// Every shape on top of the ones before it: an answer when there is no time for another.
Layout stacked(const ShapeProblem& problem);

// The lowest layout found; stops at `good_enough`. Shapes with a fixed offset are placed first,
// then those with a hint (-1: none), where it is free.
Layout fit_shapes(const ShapeProblem& problem, const IdVector<BufferId, Bytes>& hints,
                  Bytes good_enough, const Limits& limits);

}  // namespace lowtide
