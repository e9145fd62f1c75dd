#include "lowtide/layout/shapes/shape_pieces.h"

#include <algorithm>
#include <tuple>

namespace lowtide {

double steps_of(const Shape& shape) {
  double steps = 0;
  for (const ShapePart& part : shape.parts) steps += static_cast<double>(part.lifetime.length());
  return steps;
}

double area_of(const Shape& shape) {
  double area = 0;
  for (const ShapePart& part : shape.parts)
    area +=
        static_cast<double>(part.lifetime.length()) * static_cast<double>(part.upper - part.lower);
  return area;
}

ShapePieces make_pieces(const ShapeProblem& problem) {
  const Sections sections = make_sections(separate_parts(problem));
  ShapePieces pieces{.num_sections = sections.count, .of = {}};
  std::size_t part_index = 0;
  for (const Shape& shape : problem.shapes) {
    std::vector<Piece> of_shape;
    for (const ShapePart& part : shape.parts)
      of_shape.push_back({sections.of[BufferId(part_index++)], part.lower, part.upper});
    pieces.of.push_back(std::move(of_shape));
  }
  return pieces;
}

std::vector<std::vector<BufferId>> time_components(const ShapeProblem& problem) {
  std::vector<std::tuple<Step, Step, BufferId>> hulls;
  for (BufferId b : problem.shapes.ids()) {
    if (!problem.shapes[b].takes_room()) continue;
    Interval hull = problem.shapes[b].parts.front().lifetime;
    for (const ShapePart& part : problem.shapes[b].parts)
      hull = {std::min(hull.lower, part.lifetime.lower), std::max(hull.upper, part.lifetime.upper)};
    hulls.emplace_back(hull.lower, hull.upper, b);
  }
  std::sort(hulls.begin(), hulls.end());
  std::vector<std::vector<BufferId>> components;
  Step end = 0;
  for (const auto& [lower, upper, b] : hulls) {
    if (components.empty() || lower >= end) components.emplace_back();
    components.back().push_back(b);
    end = components.back().size() == 1 ? upper : std::max(end, upper);
  }
  for (auto& component : components) std::sort(component.begin(), component.end());
  return components;
}

}  // namespace lowtide
