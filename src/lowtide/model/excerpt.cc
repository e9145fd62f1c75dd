#include "lowtide/model/excerpt.h"

namespace lowtide {

LayoutRequest excerpt(const LayoutRequest& request, std::span<const BufferId> chosen) {
  LayoutRequest part;
  part.problem.capacity = request.problem.capacity;
  IdVector<BufferId, BufferId> renumbered(request.problem.buffers.size());
  for (BufferId b : chosen)
    renumbered[b] = part.problem.buffers.push_back(request.problem.buffers[b]);
  for (const Tie& tie : request.ties)
    for (BufferId b : {tie.first, tie.second})
      if (renumbered[b].is_none()) {
        const Bytes size = request.problem.buffers[b].size;
        renumbered[b] = part.problem.buffers.push_back({.lifetime = {}, .size = size});
      }
  const auto has = [&](BufferId b) { return !renumbered[b].is_none(); };
  for (const auto& [b, lifetime, window] : request.gaps)
    if (has(b)) part.gaps.push_back({renumbered[b], lifetime, window});
  for (const auto& [kind, first, second] : request.ties)
    part.ties.push_back({kind, renumbered[first], renumbered[second]});
  for (const auto& [b, offset] : request.hints)
    if (has(b)) part.hints.push_back({renumbered[b], offset});
  for (const auto& [first, second] : request.may_reuse)
    if (has(first) && has(second))
      part.may_reuse.push_back({renumbered[first], renumbered[second]});
  return part;
}

LayoutRequest request_for_bank(const BankProblem& problem, const IdVector<BufferId, int>& bank_of,
                               std::size_t bank) {
  LayoutRequest request = problem.request;
  request.problem.capacity = problem.banks[bank].size;
  for (BufferId b : bank_of.ids())
    if (bank_of[b] != static_cast<int>(bank)) {
      Buffer& buffer = request.problem.buffers[b];
      buffer = {.lifetime = {}, .size = buffer.size};
    }
  return request;
}

}  // namespace lowtide
