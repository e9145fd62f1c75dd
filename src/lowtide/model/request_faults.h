// What makes no sense in a request or in a bank problem.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "lowtide/model/bank_problem.h"

namespace lowtide {

// The first thing that makes no sense, and the buffer it is about: sizes, offsets, hints and times
// out of range (base/room.h), gaps that overlap or hold what the buffer has not, ties that
// contradict each other. The other functions on requests and all solvers may be called only where
// there is none; then none of their sums overflows. Steps and capacities are only compared, so any
// will do.
struct Fault {
  BufferId buffer;
  std::string reason;
};
std::optional<Fault> find_fault(const LayoutRequest& request);
// Of buffers alone; allocates nothing where there is none.
std::optional<Fault> find_fault(std::span<const Buffer> buffers);

// Throws InputError that names the buffer by its index.
void check_buffers(std::span<const Buffer> buffers);

// The first thing that makes no sense; "" if nothing does: no banks or too many, sizes or costs out
// of range, a buffer that may be nowhere. The request is to be checked by find_fault.
std::string bank_fault(const BankProblem& problem);

}  // namespace lowtide
