// Requests that are a part of others.
#pragma once

#include <span>

#include "lowtide/model/bank_problem.h"

namespace lowtide {

// Some of the buffers, renumbered in the order given, with what is asked of these alone; behind
// them what others they are tied through, which take no room. What is impossible for them is
// impossible for all.
LayoutRequest excerpt(const LayoutRequest& request, std::span<const BufferId> chosen);

// The request for one bank: what is elsewhere takes no room. Buffers keep their ids.
LayoutRequest request_for_bank(const BankProblem& problem, const IdVector<BufferId, int>& bank_of,
                               std::size_t bank);

}  // namespace lowtide
