#include "lowtide/model/layout_request.h"

#include <algorithm>
#include <utility>

#include "lowtide/model/bodies.h"

namespace lowtide {
namespace {

// By buffer and time; clipped to the buffer's lifetime, without those that nothing is left of.
std::vector<Gap> clipped_gaps(const LayoutRequest& request) {
  std::vector<Gap> gaps;
  for (Gap gap : request.gaps) {
    const Interval life = request.problem.buffers[gap.buffer].lifetime;
    gap.lifetime.lower = std::max(gap.lifetime.lower, life.lower);
    gap.lifetime.upper = std::min(gap.lifetime.upper, life.upper);
    if (!gap.lifetime.empty()) gaps.push_back(gap);
  }
  std::sort(gaps.begin(), gaps.end(), [](const Gap& a, const Gap& b) {
    return std::pair(a.buffer, a.lifetime.lower) < std::pair(b.buffer, b.lifetime.lower);
  });
  return gaps;
}

std::string reason_against(const Buffer& buffer) {
  Step length = 0;
  if (buffer.lifetime.lower > buffer.lifetime.upper) return "lower is above upper";
  if (__builtin_sub_overflow(buffer.lifetime.upper, buffer.lifetime.lower, &length))
    return "the lifetime is longer than 2^63 - 1";
  if (buffer.size < 0) return "size is negative";
  if (buffer.alignment < 1) return "alignment must be at least 1";
  if (buffer.fixed_offset && *buffer.fixed_offset < 0) return "offset is negative";
  return "";
}

// Every offset a solver can come to is below this sum.
bool add_room(const Buffer& buffer, Bytes* sum) {
  Bytes padded = 0;
  return align_up_fits(buffer.size, buffer.alignment, &padded) && add_fits(*sum, padded, sum) &&
         add_fits(*sum, buffer.alignment, sum) &&
         add_fits(*sum, buffer.fixed_offset.value_or(0), sum);
}

std::optional<Fault> buffer_fault(const LayoutProblem& problem) {
  Bytes sum = 0;
  for (BufferId b : problem.buffers.ids()) {
    if (std::string reason = reason_against(problem.buffers[b]); !reason.empty())
      return Fault{b, std::move(reason)};
    if (!add_room(problem.buffers[b], &sum))
      return Fault{b, "the sum of all sizes exceeds 2^63 - 1"};
  }
  return std::nullopt;
}

std::optional<Fault> gap_fault(const LayoutRequest& request) {
  for (const Gap& gap : request.gaps) {
    if (gap.lifetime.lower > gap.lifetime.upper)
      return Fault{gap.buffer, "a gap ends before it starts"};
    if (!gap.window) continue;
    const auto [lower, upper] = *gap.window;
    if (lower < 0 || lower > upper || upper > request.problem.buffers[gap.buffer].size)
      return Fault{gap.buffer, "the window of a gap is not within the buffer's size"};
  }
  const std::vector<Gap> gaps = clipped_gaps(request);
  for (std::size_t i = 1; i < gaps.size(); ++i)
    if (gaps[i].buffer == gaps[i - 1].buffer && gaps[i].lifetime.lower < gaps[i - 1].lifetime.upper)
      return Fault{gaps[i].buffer, "gaps overlap"};
  return std::nullopt;
}

void add_part(Interval lifetime, Bytes lower, Bytes upper, std::vector<ShapePart>* parts) {
  if (!lifetime.empty() && lower < upper) parts->push_back({lifetime, lower, upper});
}

}  // namespace

IdVector<BufferId, std::vector<ShapePart>> parts_of(const LayoutRequest& request) {
  const auto& buffers = request.problem.buffers;
  IdVector<BufferId, std::vector<ShapePart>> parts(buffers.size());
  const std::vector<Gap> gaps = clipped_gaps(request);
  auto gap = gaps.begin();
  for (BufferId b : buffers.ids()) {
    Step from = buffers[b].lifetime.lower;
    for (; gap != gaps.end() && gap->buffer == b; ++gap) {
      add_part({from, gap->lifetime.lower}, 0, buffers[b].size, &parts[b]);
      if (gap->window) add_part(gap->lifetime, gap->window->lower, gap->window->upper, &parts[b]);
      from = gap->lifetime.upper;
    }
    add_part({from, buffers[b].lifetime.upper}, 0, buffers[b].size, &parts[b]);
  }
  return parts;
}

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

std::optional<Fault> find_fault(const LayoutRequest& request) {
  if (auto fault = buffer_fault(request.problem)) return fault;
  if (auto fault = gap_fault(request)) return fault;
  for (const Hint& hint : request.hints)
    if (hint.offset < 0) return Fault{hint.buffer, "hint is negative"};
  for (const MayReuse& pair : request.may_reuse)
    if (pair.first == pair.second) return Fault{pair.first, "may reuse itself"};
  return tie_fault(request);
}

}  // namespace lowtide
