// What makes no sense in a request or in a bank problem.
#pragma once

#include <optional>
#include <string>

#include "lowtide/model/bank_problem.h"

namespace lowtide {

// The first thing that makes no sense, and the buffer it is about: sizes and times out of range,
// gaps that overlap or hold what the buffer has not, ties that contradict each other. The other
// functions on requests may be called only where there is none.
struct Fault {
  BufferId buffer;
  std::string reason;
};
std::optional<Fault> find_fault(const LayoutRequest& request);

// The first thing that makes no sense; "" if nothing does: no banks or too many, sizes or costs out
// of range, a buffer that may be nowhere. The request is to be checked by find_fault.
std::string bank_fault(const BankProblem& problem);

}  // namespace lowtide
