// A half-open interval [lower, upper) of steps.
#pragma once

#include <limits>

#include "lowtide/base/id.h"

namespace lowtide {

struct Interval {
  Step lower = 0;
  Step upper = 0;

  bool empty() const { return lower >= upper; }
  // At most 2^63 - 1: what lives at both ends of all numbers is no longer.
  Step length() const {
    Step length = 0;
    return __builtin_sub_overflow(upper, lower, &length) ? std::numeric_limits<Step>::max()
                                                         : length;
  }
  bool contains(Step step) const { return lower <= step && step < upper; }
  bool intersects(const Interval& other) const {
    return lower < other.upper && other.lower < upper;
  }
  friend bool operator==(const Interval&, const Interval&) = default;
};

}  // namespace lowtide
