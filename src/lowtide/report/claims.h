// Bounds in a plan file are claims of whoever wrote it, and a claim is no proof. The bounds that
// need no search (analysis/lower_bounds.h, the fullest step) reach what most plans claim: what they
// reach, this run has proved itself, and may say so.
//
// The plans here are legal: made by this run, or passed by the verifier.
#pragma once

#include "lowtide/base/limits.h"
#include "lowtide/graph/graph.h"
#include "lowtide/graph/plan.h"

namespace lowtide {

// What this run has proved of every order of the graph, in bytes: the plan's own bound, or what is
// found here within `limits` (steps: nodes and edges walked) if that is a claim.
Bytes proved_peak_bound(const Graph& graph, const Plan& plan, const Limits& limits);

// Of every layout of the plan's schedule.
Bytes proved_arena_bound(const Graph& graph, const Plan& plan);

// The bounds that are proved here as well are no longer marked as claims. No number changes.
void prove_claims(const Graph& graph, const Limits& limits, Plan* plan);

// " (claimed by the file)" for a bound that is a claim, else "".
const char* claim_note(bool is_claim);

}  // namespace lowtide
