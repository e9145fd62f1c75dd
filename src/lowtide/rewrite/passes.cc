#include "lowtide/rewrite/passes.h"

#include <algorithm>
#include <array>

#include "lowtide/rewrite/canonicalize.h"
#include "lowtide/rewrite/prune.h"
#include "lowtide/rewrite/weight_updates.h"

namespace lowtide {
namespace {

constexpr std::array<RewritePass, 3> kPasses = {{
    {"prune", true, "leaves out nodes that nobody needs; the plan runs them after what they need",
     prune},
    {"canonicalize", true, "joins tensors that live and die together, drops implied control edges",
     canonicalize},
    {"weight_updates", false, "control edges: a weight's update before the next backward node",
     weight_updates},
}};

}  // namespace

std::span<const RewritePass> rewrite_passes() { return kPasses; }

const RewritePass* find_rewrite_pass(std::string_view name) {
  for (const RewritePass& pass : kPasses)
    if (name == pass.name) return &pass;
  return nullptr;
}

RewriteOutcome rewrite(const Graph& graph, const std::vector<std::string>& names, Meter* meter) {
  RewriteOutcome outcome;
  for (const RewritePass& pass : kPasses) {
    if (std::find(names.begin(), names.end(), pass.name) == names.end()) continue;
    const Graph& so_far = outcome.rewritten ? outcome.rewritten->graph : graph;
    std::optional<Rewritten> next = pass.rewrite(so_far, meter);
    if (!next) continue;
    outcome.rewritten =
        outcome.rewritten ? compose(*outcome.rewritten, std::move(*next)) : std::move(*next);
    outcome.keeps_bound &= pass.keeps_bound;
  }
  return outcome;
}

}  // namespace lowtide
