// A half-open interval [lower, upper) of steps.
#pragma once

#include "lowtide/base/id.h"

namespace lowtide {

struct Interval {
  Step lower = 0;
  Step upper = 0;

  bool empty() const { return lower >= upper; }
  Step length() const { return upper - lower; }
  bool contains(Step step) const { return lower <= step && step < upper; }
  bool intersects(const Interval& other) const {
    return lower < other.upper && other.lower < upper;
  }
  friend bool operator==(const Interval&, const Interval&) = default;
};

}  // namespace lowtide
