// The planned tensors as CSV, in MiniMalloc's columns (id,lower,upper,size,offset: `lowtide layout`
// reads it) and then what they are (op,phase,part,module).
#pragma once

#include <string>

#include "lowtide/graph/graph.h"
#include "lowtide/graph/plan.h"

namespace lowtide {

// The planned tensors and the workspaces, a row each, as `lowtide layout` reads buffers; what takes
// over the bytes of another has the same name in the column alias, which is there if anything does.
// A name with a comma, quote or line break is quoted as RFC 4180 says.
std::string tensor_csv(const Graph& graph, const Plan& plan);

}  // namespace lowtide
