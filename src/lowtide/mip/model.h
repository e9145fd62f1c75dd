// An integer program as plain data: minimise a linear objective over bounded, partly integral
// variables under linear rows. Knows no solver; mip/highs.h solves it.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace lowtide::mip {

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

using Column = int;
// Coefficients by column; each column at most once.
using Terms = std::vector<std::pair<Column, double>>;

struct Variable {
  std::string name;
  double lower = 0;
  double upper = kInfinity;
  bool integral = false;
  double objective = 0;
};

struct Row {
  std::string name;
  Terms terms;
  double lower = -kInfinity;
  double upper = kInfinity;
};

struct Model {
  std::vector<Variable> variables;
  std::vector<Row> rows;
  double objective_bytes = 1;  // what an objective of one stands for, when progress is told

  Column add(Variable variable) {
    variables.push_back(std::move(variable));
    return static_cast<Column>(variables.size()) - 1;
  }
  void add(Row row) { rows.push_back(std::move(row)); }
};

enum class Outcome { kOptimal, kFeasible, kInfeasible, kUnknown };

struct Answer {
  Outcome outcome = Outcome::kUnknown;
  std::vector<double> values;  // by column; empty without an answer
  double objective = 0;
  double bound = -kInfinity;  // no solution is below it
  std::int64_t steps = 0;     // what it counts for in a budget of steps
};

}  // namespace lowtide::mip
