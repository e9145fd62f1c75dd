#include "lowtide/layout/search/part_answers.h"

#include "lowtide/model/layout_bounds.h"

namespace lowtide {

PartAnswers::PartAnswers(const LayoutProblem& problem, Layout incumbent)
    : problem_(problem), instances_(make_instances(problem)), best_(std::move(incumbent)) {
  for (const Instance& instance : instances_.parts) {
    std::vector<Bytes> offsets;
    for (BufferId b : instance.id) offsets.push_back(best_.offsets[b] / instances_.unit);
    const Bytes height = height_of(instance, offsets);
    parts_.push_back({&instance, std::move(offsets), height, instance.max_load});
  }
}

Bytes PartAnswers::height() const {
  Bytes height = 0;
  for (const PartAnswer& part : parts_) height = std::max(height, part.height);
  return height;
}

Bytes PartAnswers::bound() const {
  Bytes bound = 0;
  for (const PartAnswer& part : parts_) bound = std::max(bound, part.bound);
  return bound;
}

Bytes PartAnswers::target() const {
  return std::max(bound(), problem_.capacity.value_or(0) / instances_.unit);
}

bool PartAnswers::is_settled() const {
  if (problem_.capacity && bound() * instances_.unit > *problem_.capacity) return true;
  return height() <= target();
}

void PartAnswers::report_to(const Limits& limits) const {
  limits.report(height() * instances_.unit, bound() * instances_.unit);
}

Solution<Layout> PartAnswers::solution() && {
  for (const PartAnswer& part : parts_)
    for (std::size_t b = 0; b < part.offsets.size(); ++b)
      best_.offsets[part.instance->id[b]] = part.offsets[b] * instances_.unit;
  best_.height = height_of(problem_, best_.offsets);
  const Bytes proved = std::max(bound() * instances_.unit, lower_bound(problem_));
  if (problem_.capacity && proved > *problem_.capacity) return Solution<Layout>::infeasible(proved);
  if (problem_.capacity && best_.height > *problem_.capacity)
    return Solution<Layout>::unknown(proved);
  const Bytes height = best_.height;
  return Solution<Layout>::found(std::move(best_), height, proved);
}

}  // namespace lowtide
