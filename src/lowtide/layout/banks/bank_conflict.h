// Why several memories together are too small, in as few buffers as found.
//
//   one step   buffers that may live in nothing but some of the banks hold more in a step than
//              these have bytes (Hall's condition). Sets of banks are unions of what buffers are
//              allowed; the fewest buffers are the largest ones. One buffer that is larger than
//              every bank it may be in is the least case of it
//   a search   otherwise what layout/deletion_filter leaves of the buffers, by time, asking
//              layout/banks
#pragma once

#include <optional>
#include <vector>

#include "lowtide/base/limits.h"
#include "lowtide/model/bank_problem.h"
#include "lowtide/model/bodies.h"

namespace lowtide {

struct BankConflict {
  std::vector<BufferId> buffers;  // that can't be placed together, ascending
  std::optional<Step> step;       // they are all live then, and what they hold is too much
  BankSet banks = 0;              // they can be in no others (with a step)
  Bytes bytes = 0;                // what they hold in that step
  Bytes size = 0;                 // of these banks together
  bool irreducible = false;       // any fewer of them fit
};

// `problem` must be proved to have no layout. Within `limits`; steps are for each question.
BankConflict explain_banks(const BankProblem& problem, const Limits& limits);

// A step in which bodies hold more than the banks they may be in; proves that there is no layout.
struct Shortage {
  BankSet banks;
  Bytes size;  // of these banks
  Step step;
  std::vector<BufferId> bodies;  // as few as are too much, the largest first
  Bytes bytes;                   // what these hold
};
// Looks at no more than some hundred sets of banks. O(n log n), times these sets.
std::optional<Shortage> find_shortage(const BankProblem& problem, const Bodies& bodies);

}  // namespace lowtide
