// Does a point satisfy an integer program? For tests of models without a solver.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "lowtide/mip/model.h"

namespace lowtide::testing {

// "" or the name of the first bound, integrality or row that the point breaks.
inline std::string broken_by(const mip::Model& model, const std::vector<double>& point) {
  constexpr double kTolerance = 1e-6;
  if (point.size() != model.variables.size()) return "the point has another number of variables";
  for (std::size_t i = 0; i < point.size(); ++i) {
    const mip::Variable& variable = model.variables[i];
    if (point[i] < variable.lower - kTolerance || point[i] > variable.upper + kTolerance ||
        (variable.integral && std::abs(point[i] - std::round(point[i])) > kTolerance))
      return variable.name;
  }
  for (const mip::Row& row : model.rows) {
    double sum = 0;
    for (const auto& [column, factor] : row.terms)
      sum += factor * point[static_cast<std::size_t>(column)];
    if (sum < row.lower - kTolerance || sum > row.upper + kTolerance) return row.name;
  }
  return "";
}

}  // namespace lowtide::testing
