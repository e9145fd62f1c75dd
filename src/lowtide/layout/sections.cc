#include "lowtide/layout/sections.h"

#include <algorithm>

namespace lowtide {

Sections make_sections(const LayoutProblem& problem) {
  std::vector<Step> starts;
  starts.reserve(problem.buffers.size());
  for (const Buffer& buffer : problem.buffers)
    if (buffer.takes_room()) starts.push_back(buffer.lifetime.lower);
  std::sort(starts.begin(), starts.end());
  starts.erase(std::unique(starts.begin(), starts.end()), starts.end());

  Sections sections;
  sections.count = static_cast<int>(starts.size());
  for (const Buffer& buffer : problem.buffers) {
    SectionRange range;
    if (buffer.takes_room()) {
      const auto first = std::lower_bound(starts.begin(), starts.end(), buffer.lifetime.lower);
      const auto end = std::lower_bound(first, starts.end(), buffer.lifetime.upper);
      range = {static_cast<int>(first - starts.begin()),
               static_cast<int>(end - starts.begin()) - 1};
    }
    sections.of.push_back(range);
  }
  return sections;
}

}  // namespace lowtide
