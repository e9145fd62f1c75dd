// Random layout problems of a single part (layout/search/instance.h), and layouts of them in units
// and in bytes: what the searches that start from a layout are tested on.
#pragma once

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

#include "lowtide/layout/greedy/heuristics.h"
#include "lowtide/layout/search/instance.h"
#include "lowtide/model/layout_bounds.h"

namespace lowtide::testing {

// The first buffer lives from beginning to end.
inline LayoutProblem random_part(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto below = [&](std::uint64_t count) { return static_cast<Step>(random() % count); };
  LayoutProblem problem;
  problem.buffers.push_back({.lifetime = {0, 20}, .size = 1});
  if (seed % 3 == 0) problem.buffers.push_back({.lifetime = {3, 9}, .size = 5, .fixed_offset = 32});
  const auto count = 2 + below(40);
  for (Step i = 0; i < count; ++i) {
    const Step lower = below(19);
    problem.buffers.push_back({.lifetime = {lower, lower + 1 + below(20 - lower)},
                               .size = 1 + below(30),
                               .alignment = seed % 2 == 0 ? 1 : Bytes{1} << below(4)});
  }
  return problem;
}

struct OnePart {
  explicit OnePart(LayoutProblem given)
      : problem(std::move(given)),
        instances(make_instances(problem)),
        layout(has_fixed_offsets(problem)
                   ? fit_by_keys(problem, {BufferKey::kStart}, Fit::kLowest, Limits())
                   : stacked(problem)) {}

  const Instance& instance() const { return instances.parts.front(); }
  std::vector<Bytes> in_units(const Layout& of) const {
    std::vector<Bytes> offsets;
    for (BufferId b : instance().id) offsets.push_back(of.offsets[b] / instances.unit);
    return offsets;
  }
  Layout in_bytes(const std::vector<Bytes>& offsets) const {
    Layout made;
    made.offsets.assign(problem.buffers.size(), 0);
    for (std::size_t i = 0; i < offsets.size(); ++i)
      made.offsets[instance().id[i]] = offsets[i] * instances.unit;
    made.height = height_of(problem, made.offsets);
    return made;
  }
  // Bytes of buffers above the capacity, in units.
  Bytes excess(const Layout& of, Bytes capacity) const {
    Bytes sum = 0;
    for (BufferId b : problem.buffers.ids()) {
      const Bytes end = of.offsets[b] + problem.buffers[b].size;
      sum += std::max<Bytes>(0, end - std::max(of.offsets[b], capacity * instances.unit));
    }
    return sum;
  }

  LayoutProblem problem;
  Instances instances;
  Layout layout;  // a valid one, far from good
};

}  // namespace lowtide::testing
