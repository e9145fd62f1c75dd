#include "lowtide/mip/highs.h"

#include <algorithm>
#include <cmath>

#include "lowtide/base/check.h"

#ifdef LOWTIDE_HAS_HIGHS
#include "Highs.h"
#endif

namespace lowtide::mip {

#ifdef LOWTIDE_HAS_HIGHS

namespace {

HighsLp to_lp(const Model& model) {
  HighsLp lp;
  lp.num_col_ = static_cast<HighsInt>(model.variables.size());
  lp.num_row_ = static_cast<HighsInt>(model.rows.size());
  for (const Variable& variable : model.variables) {
    lp.col_cost_.push_back(variable.objective);
    lp.col_lower_.push_back(variable.lower);
    lp.col_upper_.push_back(variable.upper);
    lp.integrality_.push_back(variable.integral ? HighsVarType::kInteger
                                                : HighsVarType::kContinuous);
  }
  lp.a_matrix_.format_ = MatrixFormat::kRowwise;
  lp.a_matrix_.start_ = {0};
  for (const Row& row : model.rows) {
    lp.row_lower_.push_back(row.lower);
    lp.row_upper_.push_back(row.upper);
    for (const auto& [column, coefficient] : row.terms) {
      lp.a_matrix_.index_.push_back(column);
      lp.a_matrix_.value_.push_back(coefficient);
    }
    lp.a_matrix_.start_.push_back(static_cast<HighsInt>(lp.a_matrix_.index_.size()));
  }
  return lp;
}

void set_options(Highs* highs, const Limits& limits) {
  highs->setOptionValue("output_flag", false);
  highs->setOptionValue("threads", limits.threads());
  highs->setOptionValue("random_seed", static_cast<HighsInt>(limits.seed() % 1'000'000));
  highs->setOptionValue("mip_rel_gap", 0.0);
  highs->setOptionValue("mip_abs_gap", 0.0);
  if (limits.has_deadline()) highs->setOptionValue("time_limit", limits.seconds_left());
}

// HiGHS asks now and then whether to go on.
void set_cancellation(Highs* highs, const Limits& limits) {
  highs->setCallback([limits](int, const std::string&, const HighsCallbackOutput*,
                              HighsCallbackInput* input,
                              void*) { input->user_interrupt = limits.expired(); });
  highs->startCallback(kCallbackMipInterrupt);
  highs->startCallback(kCallbackSimplexInterrupt);
}

}  // namespace

bool is_available() { return true; }

Answer solve(const Model& model, const Limits& limits, const std::vector<double>& start) {
  Highs highs;
  set_options(&highs, limits);
  set_cancellation(&highs, limits);
  LOWTIDE_CHECK(highs.passModel(to_lp(model)) != HighsStatus::kError, "HiGHS rejects the model");
  if (!start.empty()) {
    HighsSolution point;
    point.col_value = start;
    highs.setSolution(point);
  }
  highs.run();

  Answer answer;
  const HighsModelStatus status = highs.getModelStatus();
  const HighsInfo& info = highs.getInfo();
  if (status == HighsModelStatus::kInfeasible) {
    answer.outcome = Outcome::kInfeasible;
    return answer;
  }
  const bool is_mip = std::any_of(model.variables.begin(), model.variables.end(),
                                  [](const Variable& variable) { return variable.integral; });
  const bool found = info.primal_solution_status == kSolutionStatusFeasible;
  if (found) {
    answer.values = highs.getSolution().col_value;
    answer.objective = info.objective_function_value;
    answer.outcome = status == HighsModelStatus::kOptimal ? Outcome::kOptimal : Outcome::kFeasible;
  }
  if (is_mip)
    answer.bound = info.mip_dual_bound;
  else if (status == HighsModelStatus::kOptimal)
    answer.bound = answer.objective;
  return answer;
}

#else

bool is_available() { return false; }

Answer solve(const Model&, const Limits&, const std::vector<double>&) {
  LOWTIDE_CHECK(false, "lowtide was built without HiGHS: ask is_available() first");
}

#endif

}  // namespace lowtide::mip
