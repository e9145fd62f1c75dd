// Shapes on sections of time (layout/sections): what each holds as pieces, and the stretches of
// time that no shape leaves, which are problems of their own.
#pragma once

#include <vector>

#include "lowtide/layout/sections.h"
#include "lowtide/model/shape_problem.h"

namespace lowtide {

struct Piece {
  SectionRange range;
  Bytes lower;  // relative to the shape's offset
  Bytes upper;
};

struct ShapePieces {
  int num_sections = 0;
  IdVector<BufferId, std::vector<Piece>> of;
};

// How large a shape is: the steps in which it holds something, and bytes x steps.
double steps_of(const Shape& shape);
double area_of(const Shape& shape);

// O(n log n) in the parts.
ShapePieces make_pieces(const ShapeProblem& problem);

// The shapes that take room, by the stretches of time in which some shape, gaps included, is
// alive; in time order.
std::vector<std::vector<BufferId>> time_components(const ShapeProblem& problem);

}  // namespace lowtide
