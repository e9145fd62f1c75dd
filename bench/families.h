// Graphs at any size that are harder, or larger, than captured ones: what the order solvers'
// growth and gaps are measured on. Deterministic; the structure of the real thing, invented sizes.
//
// A family is asked for as `name:nodes[:variant]`, e.g. "transformer:10000" or "layered:3000:32".
#pragma once

#include <string>
#include <vector>

#include "lowtide/graph/graph.h"

namespace lowtide::bench {

struct Family {
  const char* name;
  const char* summary;
  // About `nodes` nodes, never fewer than one block. `variant`: see the summary; 0 for the default.
  Graph (*make)(int nodes, int variant);
};

const std::vector<Family>& families();

// "name:nodes[:variant]"; throws InputError for anything else.
Graph make_family(const std::string& text);
// Whether `text` begins with the name of a family and a colon.
bool names_family(const std::string& text);

}  // namespace lowtide::bench
