#include "lowtide/layout/greedy/pyramid.h"

#include "lowtide/layout/greedy/orders.h"

namespace lowtide {
namespace {

using enum BufferKey;

bool encloses(const Interval& outer, const Interval& inner) {
  return outer.lower <= inner.lower && inner.upper <= outer.upper;
}

}  // namespace

// By falling lifetime, the next nested buffer is always the longest-lived one: one pass finds them.
std::vector<BufferId> base_pyramid(const LayoutProblem& problem) {
  std::vector<BufferId> pyramid;
  for (BufferId b : sorted_buffers(problem, make_sections(problem), {kLifetime, kSize, kStart})) {
    const Buffer& buffer = problem.buffers[b];
    if (!buffer.takes_room() || buffer.fixed_offset) continue;
    if (pyramid.empty() || encloses(problem.buffers[pyramid.back()].lifetime, buffer.lifetime))
      pyramid.push_back(b);
  }
  return pyramid;
}

std::vector<BufferId> pyramid_order(const LayoutProblem& problem) {
  std::vector<BufferId> order = base_pyramid(problem);
  IdVector<BufferId, std::uint8_t> is_in(problem.buffers.size(), 0);
  for (BufferId b : order) is_in[b] = 1;
  for (BufferId b : sorted_buffers(problem, make_sections(problem), {kSize, kLifetime, kStart}))
    if (!is_in[b]) order.push_back(b);
  return order;
}

}  // namespace lowtide
