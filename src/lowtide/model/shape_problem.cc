#include "lowtide/model/shape_problem.h"

#include <algorithm>
#include <numeric>

#include "lowtide/model/layout_bounds.h"

namespace lowtide {
namespace {

bool is_rectangle(const Shape& shape) {
  if (shape.residue != 0 || shape.parts.size() > 1) return false;
  return shape.parts.empty() ||
         (shape.parts.front().lower == 0 && shape.parts.front().upper == shape.size);
}

// From the first part to the end of the last, whatever lies between.
Interval lifetime_of(const Shape& shape) {
  if (!shape.takes_room()) return {};
  Interval life = shape.parts.front().lifetime;
  for (const ShapePart& part : shape.parts)
    life = {std::min(life.lower, part.lifetime.lower), std::max(life.upper, part.lifetime.upper)};
  return life;
}

Buffer surrounding(const Shape& shape) {
  return {.lifetime = lifetime_of(shape),
          .size = shape.size,
          .alignment = shape.alignment,
          .fixed_offset = shape.fixed_offset};
}

Buffer separate_part(const Shape& shape, const ShapePart& part) {
  Buffer buffer{.lifetime = part.lifetime, .size = part.upper - part.lower};
  if (shape.fixed_offset) buffer.fixed_offset = *shape.fixed_offset + part.lower;
  // offset = residue + k alignment, so the part stands at a multiple of this.
  buffer.alignment = std::gcd(shape.alignment, shape.residue + part.lower);
  return buffer;
}

}  // namespace

Bytes lower_bound(const ShapeProblem& problem) {
  Bytes bound = lower_bound(separate_parts(problem));
  for (const Shape& shape : problem.shapes)
    if (shape.takes_room())
      bound = std::max(bound, shape.fixed_offset.value_or(shape.residue) + shape.size);
  return bound;
}

Bytes height_of(const ShapeProblem& problem, const IdVector<BufferId, Bytes>& offsets) {
  Bytes height = 0;
  for (BufferId b : problem.shapes.ids())
    if (problem.shapes[b].takes_room())
      height = std::max(height, offsets[b] + problem.shapes[b].size);
  return height;
}

std::optional<LayoutProblem> as_rectangles(const ShapeProblem& problem) {
  if (!std::all_of(problem.shapes.begin(), problem.shapes.end(), is_rectangle)) return std::nullopt;
  return surrounding_rectangles(problem);
}

std::optional<LayoutProblem> surrounding_rectangles(const ShapeProblem& problem) {
  LayoutProblem rectangles{.buffers = {}, .capacity = problem.capacity};
  for (const Shape& shape : problem.shapes) {
    if (shape.residue != 0) return std::nullopt;
    rectangles.buffers.push_back(surrounding(shape));
  }
  return rectangles;
}

LayoutProblem separate_parts(const ShapeProblem& problem) {
  LayoutProblem separate{.buffers = {}, .capacity = problem.capacity};
  for (const Shape& shape : problem.shapes)
    for (const ShapePart& part : shape.parts)
      separate.buffers.push_back(separate_part(shape, part));
  return separate;
}

}  // namespace lowtide
