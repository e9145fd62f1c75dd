// Is a plan right? The last word before any plan leaves lowtide, and the command `lowtide verify`.
//
// Includes only base and graph (see simulator.h): it trusts neither the solvers nor their models.
// Any plan can be judged, whatever a file may hold: no offset, size or id is trusted.
//
// Checked: every node once, in an order that respects inputs and `after`; every planned tensor and
// every workspace of bytes > 0 placed, aligned, at a non-negative offset, within the arena; no byte
// shared by two that are live; reuses that the graph allows and that happen; peak and arena as
// claimed; bounds not negative and not above values; 'optimal' exactly where value = bound. Whether
// a bound is true is beyond a check: a bound in a plan is a claim of who made the plan.
#pragma once

#include <string>
#include <vector>

#include "lowtide/graph/graph.h"
#include "lowtide/graph/plan.h"

namespace lowtide {

struct Violation {
  enum class Kind {
    kMissingNode,
    kRepeatedNode,
    kUnknownNode,
    kDependency,
    kMissingOffset,
    kUnwantedOffset,
    kNegativeOffset,
    kMisaligned,
    kOverlap,
    kReuse,
    kPeak,
    kArena,
    kBound,
    kStatus,
    kAlignment,
  };
  Kind kind;
  std::string text;  // one line with names and numbers
};

const char* to_string(Violation::Kind kind);

// Every violation, at most `most` of a kind (a wrong schedule breaks thousands of things at once;
// the line that follows says how many more). Empty: the plan is right.
std::vector<Violation> verify(const Graph& graph, const Plan& plan, std::size_t most = 100);

}  // namespace lowtide
