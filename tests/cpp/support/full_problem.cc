#include "support/full_problem.h"

#include <algorithm>
#include <random>

#include "lowtide/layout/search/instance.h"
#include "lowtide/layout/search/perfect_search.h"
#include "lowtide/model/layout_bounds.h"

namespace lowtide::testing {
namespace {

constexpr Step kTime = 4;

}  // namespace

LayoutProblem full_problem(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  LayoutProblem problem;
  Bytes load_at[kTime] = {};
  for (std::size_t i = 1 + random() % 4; i > 0; --i) {
    const Step lower = static_cast<Step>(random() % kTime);
    const Step upper =
        lower + 1 + static_cast<Step>(random() % (kTime - static_cast<unsigned>(lower)));
    Buffer buffer{.lifetime = {lower, upper}, .size = 1 + static_cast<Bytes>(random() % 5)};
    if (seed % 3 == 1) buffer.alignment = 1 + static_cast<Bytes>(random() % 2);
    problem.buffers.push_back(buffer);
    for (Step step = lower; step < upper; ++step) load_at[step] += buffer.size;
  }
  const Bytes height = *std::max_element(load_at, load_at + kTime);
  for (Step step = 0; step < kTime; ++step)
    if (load_at[step] < height)
      problem.buffers.push_back({.lifetime = {step, step + 1}, .size = height - load_at[step]});
  if (seed % 5 == 2) problem.buffers[BufferId(0)].fixed_offset = static_cast<Bytes>(random() % 3);
  return problem;
}

bool is_full(const LayoutProblem& problem) {
  const Instances instances = make_instances(problem);
  return std::all_of(instances.parts.begin(), instances.parts.end(), [&](const Instance& instance) {
    return instance.max_load * instances.unit == load(problem) &&
           PerfectSearch::applies(instance, instance.max_load);
  });
}

}  // namespace lowtide::testing
