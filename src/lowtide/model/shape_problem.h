// The layout problem for buffers that are not rectangles: each is a set of parts that move
// together.
//
//   bytes
//     |  ##########         one shape of three parts: gaps (no part for a while), windows (a part
//     |  ####    ######     of fewer bytes), aliases (the union of what they hold) and neighbours
//     +-----------------    (parts at different heights) are all of this kind
//                 steps
//
// No two parts of different shapes may share a byte at a time. Unlike MiniMalloc's validator, which
// wants one of two buffers above the other throughout, one shape may be above the other at one time
// and below it at another; where all parts of a shape have the same bytes that makes no difference.
//
// Plain data; layout/shapes solves it.
#pragma once

#include <optional>
#include <vector>

#include "lowtide/model/holdings.h"

namespace lowtide {

struct Shape {
  std::vector<ShapePart> parts;  // disjoint; empty: takes no room
  Bytes size = 0;                // [offset, offset + size) is within the arena; holds all parts
  Bytes alignment = 1;           // offset % alignment == residue
  Bytes residue = 0;
  std::optional<Bytes> fixed_offset = {};  // then alignment is not asked for

  bool takes_room() const { return !parts.empty(); }
};

struct ShapeProblem {
  IdVector<BufferId, Shape> shapes;
  std::optional<Bytes> capacity = {};
};

// The smallest offset >= `from` that the shape may have, fixed offsets aside.
inline Bytes aligned(const Shape& shape, Bytes from) {
  return align_up(std::max<Bytes>(0, from - shape.residue), shape.alignment) + shape.residue;
}

// max over steps of the bytes held in it, sizes, and ends at fixed offsets: no layout is lower.
Bytes lower_bound(const ShapeProblem& problem);

// max of offset + size over the shapes that take room.
Bytes height_of(const ShapeProblem& problem, const IdVector<BufferId, Bytes>& offsets);

// The same problem if every shape is a rectangle.
std::optional<LayoutProblem> as_rectangles(const ShapeProblem& problem);

// The rectangles around the shapes, over time from the first part to the last: what is a layout of
// these is one of the shapes. None if a shape has a residue, which a rectangle can't have.
std::optional<LayoutProblem> surrounding_rectangles(const ShapeProblem& problem);

// Every part on its own: what is impossible for the parts, is so for the shapes.
LayoutProblem separate_parts(const ShapeProblem& problem);

}  // namespace lowtide
