#include "lowtide/mip/highs.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "lowtide/base/check.h"

#ifdef LOWTIDE_HAS_HIGHS
#include "interfaces/highs_c_api.h"
#endif

namespace lowtide::mip {

bool is_in_range(const Model& model) {
  const auto holds = [](double number) {
    return std::abs(number) <= kLargest || std::abs(number) == kInfinity;
  };
  return std::all_of(model.variables.begin(), model.variables.end(),
                     [&](const Variable& variable) {
                       return holds(variable.lower) && holds(variable.upper);
                     }) &&
         std::all_of(model.rows.begin(), model.rows.end(), [&](const Row& row) {
           return holds(row.lower) && holds(row.upper) &&
                  std::all_of(row.terms.begin(), row.terms.end(),
                              [&](const auto& term) { return holds(term.second); });
         });
}

Bytes proven_bytes(double bound, double tolerance, Bytes unit, Bytes value) {
  const double units = std::ceil(bound - tolerance);
  if (!std::isfinite(units) || units <= 0) return 0;
  return units < static_cast<double>(value / unit) ? static_cast<Bytes>(units) * unit : value;
}

#ifdef LOWTIDE_HAS_HIGHS

namespace {

struct Destroy {
  void operator()(void* highs) const { Highs_destroy(highs); }
};
using Handle = std::unique_ptr<void, Destroy>;

void pass_model(void* highs, const Model& model) {
  std::vector<double> cost, lower, upper;
  std::vector<HighsInt> kinds;
  for (const Variable& variable : model.variables) {
    cost.push_back(variable.objective);
    lower.push_back(variable.lower);
    upper.push_back(variable.upper);
    kinds.push_back(variable.integral ? kHighsVarTypeInteger : kHighsVarTypeContinuous);
  }
  std::vector<double> row_lower, row_upper, coefficients;
  std::vector<HighsInt> starts, columns;
  for (const Row& row : model.rows) {
    row_lower.push_back(row.lower);
    row_upper.push_back(row.upper);
    starts.push_back(static_cast<HighsInt>(columns.size()));
    for (const auto& [column, coefficient] : row.terms) {
      columns.push_back(column);
      coefficients.push_back(coefficient);
    }
  }
  const HighsInt passed = Highs_passMip(
      highs, static_cast<HighsInt>(cost.size()), static_cast<HighsInt>(starts.size()),
      static_cast<HighsInt>(columns.size()), kHighsMatrixFormatRowwise, kHighsObjSenseMinimize, 0,
      cost.data(), lower.data(), upper.data(), row_lower.data(), row_upper.data(), starts.data(),
      columns.data(), coefficients.data(), kinds.data());
  LOWTIDE_CHECK(passed != kHighsStatusError, "HiGHS rejects the model");
}

void set_options(void* highs, const Limits& limits) {
  Highs_setBoolOptionValue(highs, "log_to_console", false);
  Highs_setIntOptionValue(highs, "threads", limits.threads());
  Highs_setIntOptionValue(highs, "random_seed", static_cast<HighsInt>(limits.seed() % 1'000'000));
  Highs_setDoubleOptionValue(highs, "mip_rel_gap", 0.0);
  Highs_setDoubleOptionValue(highs, "mip_abs_gap", 0.0);
  // It looks at no clock: 15 s of a limit of 5 on a program of 10^6 coefficients.
  Highs_setBoolOptionValue(highs, "mip_heuristic_run_feasibility_jump", false);
  if (limits.has_deadline()) Highs_setDoubleOptionValue(highs, "time_limit", limits.seconds_left());
}

// What HiGHS tells while it runs: whether to go on, how far it is, its log.
class Watch {
 public:
  Watch(void* highs, const Limits& limits, double unit) : limits_(limits), unit_(unit) {
    Highs_setCallback(highs, &Watch::called, this);
    for (const HighsInt event :
         {kHighsCallbackMipInterrupt, kHighsCallbackSimplexInterrupt, kHighsCallbackIpmInterrupt,
          kHighsCallbackMipImprovingSolution, kHighsCallbackMipLogging})
      Highs_startCallback(highs, event);
    if (const char* path = std::getenv("LOWTIDE_HIGHS_LOG")) log_ = std::fopen(path, "a");
    Highs_setBoolOptionValue(highs, "output_flag", log_ != nullptr);
    if (log_ != nullptr) Highs_startCallback(highs, kHighsCallbackLogging);
  }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  ~Watch() {
    if (log_ != nullptr) std::fclose(log_);
  }

 private:
  static void called(int event, const char* message, const HighsCallbackDataOut* out,
                     HighsCallbackDataIn* in, void* self) {
    static_cast<Watch*>(self)->hear(event, message, out, in);
  }
  void hear(int event, const char* message, const HighsCallbackDataOut* out,
            HighsCallbackDataIn* in) {
    if (event == kHighsCallbackLogging)
      std::fputs(message, log_);
    else if (event == kHighsCallbackMipImprovingSolution || event == kHighsCallbackMipLogging)
      tell(out->mip_primal_bound, out->mip_dual_bound);
    else
      in->user_interrupt = must_stop(*out);
  }
  bool must_stop(const HighsCallbackDataOut& out) const {
    return out.mip_total_lp_iterations > limits_.steps() / kStepsPerIteration || limits_.expired();
  }
  void tell(double value, double bound) {
    if (!(std::abs(value * unit_) < kTold && std::abs(bound * unit_) < kTold)) return;
    if (value == value_ && bound == bound_) return;
    value_ = value;
    bound_ = bound;
    limits_.report(std::llround(value * unit_), std::llround(std::ceil(bound * unit_ - kRound)));
  }

  static constexpr double kTold = 4e18;  // beyond it there is no value, or no bound, yet
  static constexpr double kRound = 1e-6;
  Limits limits_;
  double unit_;
  double value_ = kInfinity;
  double bound_ = -kInfinity;
  std::FILE* log_ = nullptr;
};

bool is_mip(const Model& model) {
  return std::any_of(model.variables.begin(), model.variables.end(),
                     [](const Variable& variable) { return variable.integral; });
}

// Simplex iterations; and reading the model, so that no solve is free.
std::int64_t steps_of(void* highs, const Model& model) {
  HighsInt iterations = 0;
  Highs_getIntInfoValue(highs, "simplex_iteration_count", &iterations);
  return kStepsPerIteration * std::max<HighsInt>(iterations, 0) +
         static_cast<std::int64_t>(model.rows.size() + model.variables.size());
}

Answer answer_of(void* highs, const Model& model) {
  Answer answer;
  answer.steps = steps_of(highs, model);
  const HighsInt status = Highs_getModelStatus(highs);
  if (status == kHighsModelStatusInfeasible) {
    answer.outcome = Outcome::kInfeasible;
    return answer;
  }
  HighsInt found = kHighsSolutionStatusNone;
  Highs_getIntInfoValue(highs, "primal_solution_status", &found);
  if (found == kHighsSolutionStatusFeasible) {
    answer.values.resize(model.variables.size());
    std::vector<double> duals(model.variables.size());
    std::vector<double> rows(model.rows.size()), row_duals(model.rows.size());
    Highs_getSolution(highs, answer.values.data(), duals.data(), rows.data(), row_duals.data());
    answer.objective = Highs_getObjectiveValue(highs);
    answer.outcome = status == kHighsModelStatusOptimal ? Outcome::kOptimal : Outcome::kFeasible;
  }
  if (is_mip(model))
    Highs_getDoubleInfoValue(highs, "mip_dual_bound", &answer.bound);
  else if (status == kHighsModelStatusOptimal)
    answer.bound = answer.objective;
  return answer;
}

// Presolve looks at the clock between its rounds only, and a round takes what the model is large.
bool has_time_to_presolve(const Model& model, const Limits& limits) {
  constexpr double kSecondsPerCoefficient = 2e-6;
  double coefficients = 0;
  for (const Row& row : model.rows) coefficients += static_cast<double>(row.terms.size());
  return kSecondsPerCoefficient * coefficients <= limits.seconds_left();
}

}  // namespace

bool is_available() { return true; }

Answer solve(const Model& model, const Limits& limits, const std::vector<double>& start) {
  if (!is_in_range(model) || !has_time_to_presolve(model, limits)) return {};
  const Handle highs(Highs_create());
  set_options(highs.get(), limits);
  const Watch watch(highs.get(), limits, model.objective_bytes);
  pass_model(highs.get(), model);
  if (!start.empty()) Highs_setSolution(highs.get(), start.data(), nullptr, nullptr, nullptr);
  Highs_run(highs.get());
  return answer_of(highs.get(), model);
}

#else

bool is_available() { return false; }

Answer solve(const Model&, const Limits&, const std::vector<double>&) {
  LOWTIDE_CHECK(false, "lowtide was built without HiGHS: ask is_available() first");
}

#endif

}  // namespace lowtide::mip
