// What a minimising search returns: the best answer, its value, a lower bound, and a status that
// follows from them. There is no way to say "optimal" without value = bound, nor "infeasible"
// other than by a proof.
#pragma once

#include <optional>
#include <utility>

#include "lowtide/base/bytes.h"
#include "lowtide/base/check.h"

namespace lowtide {

enum class Status {
  kOptimal,     // an answer, and value = bound
  kFeasible,    // an answer, and value > bound
  kInfeasible,  // proved that there is none
  kUnknown,     // neither an answer nor a proof in the limits given
};

inline const char* to_string(Status status) {
  switch (status) {
    case Status::kOptimal: return "optimal";
    case Status::kFeasible: return "feasible";
    case Status::kInfeasible: return "infeasible";
    case Status::kUnknown: return "unknown";
  }
  return "?";
}

template <class T>
class Solution {
 public:
  // An answer of `value` bytes, where no answer is below `bound`.
  static Solution found(T best, Bytes value, Bytes bound) {
    LOWTIDE_CHECK(bound <= value, "a lower bound above a value that was reached");
    Solution solution(bound);
    solution.best_ = std::move(best);
    solution.value_ = value;
    return solution;
  }
  // Stopped without an answer; `bound` still holds.
  static Solution unknown(Bytes bound) { return Solution(bound); }
  // Proved that no answer exists (within the capacity asked for).
  static Solution infeasible(Bytes bound) {
    Solution solution(bound);
    solution.infeasible_ = true;
    return solution;
  }

  bool has_value() const { return best_.has_value(); }
  const T& best() const {
    LOWTIDE_CHECK(best_.has_value(), "no answer in this solution");
    return *best_;
  }
  T& best() {
    LOWTIDE_CHECK(best_.has_value(), "no answer in this solution");
    return *best_;
  }
  Bytes value() const {
    LOWTIDE_CHECK(best_.has_value(), "no answer in this solution");
    return value_;
  }
  Bytes bound() const { return bound_; }
  Status status() const {
    if (infeasible_) return Status::kInfeasible;
    if (!best_) return Status::kUnknown;
    return value_ == bound_ ? Status::kOptimal : Status::kFeasible;
  }

  // A bound proved elsewhere; lower ones are ignored.
  void raise_bound(Bytes bound) {
    if (bound <= bound_) return;
    LOWTIDE_CHECK(!best_ || bound <= value_, "a lower bound above a value that was reached");
    bound_ = bound;
  }
  // Keep `other` if it is better; the bounds combine either way.
  void improve(Solution other) {
    if (other.best_ && (!best_ || other.value_ < value_)) {
      best_ = std::move(other.best_);
      value_ = other.value_;
    }
    raise_bound(other.bound_);
  }

 private:
  explicit Solution(Bytes bound) : bound_(bound) {}

  std::optional<T> best_;
  Bytes value_ = 0;
  Bytes bound_ = 0;
  bool infeasible_ = false;
};

}  // namespace lowtide
