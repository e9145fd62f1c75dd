#include "lowtide/layout/greedy/orders.h"

#include <algorithm>
#include <array>

#include "lowtide/layout/greedy/range_maximum.h"

namespace lowtide {

std::vector<Bytes> live_bytes(const LayoutProblem& problem, const Sections& sections) {
  std::vector<Bytes> live(static_cast<std::size_t>(sections.count) + 1, 0);
  for (BufferId b : problem.buffers.ids()) {
    if (sections.of[b].empty()) continue;
    live[static_cast<std::size_t>(sections.of[b].first)] += problem.buffers[b].size;
    live[static_cast<std::size_t>(sections.of[b].last) + 1] -= problem.buffers[b].size;
  }
  for (std::size_t i = 1; i < live.size(); ++i) live[i] += live[i - 1];
  live.pop_back();
  return live;
}

std::vector<BufferId> sorted_buffers(const LayoutProblem& problem, const Sections& sections,
                                     const std::vector<BufferKey>& keys) {
  const bool by_breadth = std::find(keys.begin(), keys.end(), BufferKey::kBreadth) != keys.end();
  const RangeMaximum<Bytes> busiest(by_breadth ? live_bytes(problem, sections)
                                               : std::vector<Bytes>{});
  const auto key_of = [&](BufferId b, BufferKey key) -> double {
    const Buffer& buffer = problem.buffers[b];
    const auto steps_lived = static_cast<double>(buffer.lifetime.length());
    switch (key) {
      case BufferKey::kStart: return -static_cast<double>(buffer.lifetime.lower);
      case BufferKey::kSize: return static_cast<double>(buffer.size);
      case BufferKey::kLifetime: return steps_lived;
      case BufferKey::kArea: return steps_lived * static_cast<double>(buffer.size);
      case BufferKey::kBreadth: return static_cast<double>(busiest.over(sections.of[b]));
    }
    return 0;
  };
  struct Entry {
    std::array<double, 3> keys;
    BufferId buffer;
  };
  std::vector<Entry> entries;
  entries.reserve(problem.buffers.size());
  for (BufferId b : problem.buffers.ids()) {
    Entry entry{{}, b};
    for (std::size_t i = 0; i < std::min(keys.size(), entry.keys.size()); ++i)
      entry.keys[i] = key_of(b, keys[i]);
    entries.push_back(entry);
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return a.keys != b.keys ? a.keys > b.keys : a.buffer < b.buffer;
  });
  std::vector<BufferId> order;
  order.reserve(entries.size());
  for (const Entry& entry : entries) order.push_back(entry.buffer);
  return order;
}

}  // namespace lowtide
