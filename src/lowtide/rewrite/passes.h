// The registry of rewriting passes: one row each, in the order in which they run. The command
// line's list, Python's list, the property tests and the measurements iterate it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lowtide/base/limits.h"
#include "lowtide/rewrite/rewritten.h"

namespace lowtide {

struct RewritePass {
  const char* name;
  // No order of the graph has a lower peak than the best of the rewritten one: a bound proved for
  // the latter holds.
  bool keeps_bound;
  const char* summary;
  // Nothing if there is nothing to do.
  std::optional<Rewritten> (*rewrite)(const Graph& graph, Meter* meter);
};

std::span<const RewritePass> rewrite_passes();

// nullptr if there is none of that name.
const RewritePass* find_rewrite_pass(std::string_view name);

// What the passes of these names make of a graph, one after the other, in the registry's order.
struct RewriteOutcome {
  std::optional<Rewritten> rewritten;  // nothing: the graph stays as it is
  bool keeps_bound = true;
};
RewriteOutcome rewrite(const Graph& graph, const std::vector<std::string>& names, Meter* meter);

}  // namespace lowtide
