#include "lowtide/layout/explain.h"

#include <algorithm>

#include "lowtide/layout/deletion_filter.h"
#include "lowtide/layout/shapes.h"
#include "lowtide/layout/solvers.h"
#include "lowtide/model/bodies.h"
#include "lowtide/model/excerpt.h"
#include "lowtide/model/holdings.h"

namespace lowtide {
namespace {

// A question that takes longer is not worth a buffer less.
constexpr std::int64_t kStepsPerQuestion = 100'000;

// Those that take room, and tied ones, which may hold others to an alignment or an offset.
std::vector<BufferId> ones_that_matter(const LayoutRequest& request) {
  IdVector<BufferId, char> is_tied(request.problem.buffers.size(), 0);
  for (const Tie& tie : request.ties) is_tied[tie.first] = is_tied[tie.second] = 1;
  std::vector<BufferId> buffers;
  for (BufferId b : request.problem.buffers.ids())
    if (request.problem.buffers[b].takes_room() || is_tied[b]) buffers.push_back(b);
  return buffers;
}

// The first step in which the most bytes are held.
Step fullest_step(const ShapeProblem& problem) {
  std::vector<std::pair<Step, Bytes>> changes;
  for (const Shape& shape : problem.shapes)
    for (const ShapePart& part : shape.parts) {
      changes.emplace_back(part.lifetime.lower, part.upper - part.lower);
      changes.emplace_back(part.lifetime.upper, part.lower - part.upper);
    }
  std::sort(changes.begin(), changes.end());  // at one step, what ends comes first
  Bytes live = 0;
  Bytes highest = 0;
  Step fullest = 0;
  for (const auto& [step, change] : changes) {
    live += change;
    if (live <= highest) continue;
    highest = live;
    fullest = step;
  }
  return fullest;
}

Bytes held_at(const std::vector<ShapePart>& parts, Step step) {
  Bytes bytes = 0;
  for (const ShapePart& part : parts)
    if (part.lifetime.contains(step)) bytes += part.upper - part.lower;
  return bytes;
}

bool is_plain(const Buffer& buffer) { return buffer.alignment == 1 && !buffer.fixed_offset; }

// The largest buffers of the fullest step, until they are too much; nothing if they never are.
std::optional<Conflict> overload(const LayoutRequest& request) {
  if (!request.problem.capacity || !request.may_reuse.empty()) return std::nullopt;
  const Bodies bodies = make_bodies(request);
  const IdVector<BufferId, Shape>& shapes = bodies.problem.shapes;
  Conflict conflict{.buffers = {}, .step = fullest_step(bodies.problem)};
  const auto held = [&](BufferId shape) { return held_at(shapes[shape].parts, *conflict.step); };
  std::vector<BufferId> live;
  for (BufferId shape : shapes.ids())
    if (held(shape) > 0) live.push_back(shape);
  std::stable_sort(live.begin(), live.end(),
                   [&](BufferId a, BufferId b) { return held(a) > held(b); });
  IdVector<BufferId, char> is_named(shapes.size(), 0);
  Bytes sum = 0;
  for (BufferId shape : live) {
    is_named[shape] = 1;
    sum += held(shape);
    if (sum > *request.problem.capacity) break;
  }
  if (sum <= *request.problem.capacity) return std::nullopt;
  conflict.bytes = sum;
  const auto parts = parts_of(request);
  for (BufferId b : request.problem.buffers.ids())
    if (is_named[bodies.body[b]] && held_at(parts[b], *conflict.step) > 0)
      conflict.buffers.push_back(b);
  // Gaps, ties and alignments could make fewer of them impossible as well.
  conflict.irreducible =
      request.is_plain() &&
      std::all_of(conflict.buffers.begin(), conflict.buffers.end(),
                  [&](BufferId b) { return is_plain(request.problem.buffers[b]); });
  return conflict;
}

Conflict by_deletion(const LayoutRequest& request, const Limits& limits) {
  std::vector<BufferId> kept = ones_that_matter(request);
  std::stable_sort(kept.begin(), kept.end(), [&](BufferId a, BufferId b) {
    return request.problem.buffers[a].lifetime.lower < request.problem.buffers[b].lifetime.lower;
  });
  const auto status_of = [&](const std::vector<BufferId>& buffers) {
    return solve_request(excerpt(request, buffers), *find_layout_solver("auto"),
                         limits.with_steps(kStepsPerQuestion))
        .status();
  };
  Filtered filtered = filter_by_deletion(std::move(kept), status_of, limits);
  return {.buffers = std::move(filtered.buffers),
          .step = {},
          .bytes = 0,
          .irreducible = filtered.irreducible};
}

}  // namespace

Conflict explain_conflict(const LayoutRequest& request, const Limits& limits) {
  if (auto conflict = overload(request)) return *std::move(conflict);
  return by_deletion(request, limits);
}

}  // namespace lowtide
