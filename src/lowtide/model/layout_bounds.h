// How high a layout is, and how high every one must be.
#pragma once

#include "lowtide/model/layout_problem.h"

namespace lowtide {

// max over steps of the bytes live in it: a lower bound on every layout's height.
Bytes load(const LayoutProblem& problem);

// The load, and the ends of buffers with a fixed offset: no layout is lower.
Bytes lower_bound(const LayoutProblem& problem);

// max of offset + size over the buffers that take room.
Bytes height_of(const LayoutProblem& problem, const IdVector<BufferId, Bytes>& offsets);

}  // namespace lowtide
