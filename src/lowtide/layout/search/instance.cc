#include "lowtide/layout/search/instance.h"

#include <algorithm>
#include <numeric>

namespace lowtide {
namespace {

Bytes common_unit(const LayoutProblem& problem) {
  Bytes unit = 0;
  for (const Buffer& buffer : problem.buffers) {
    unit = std::gcd(unit, buffer.size);
    if (buffer.alignment > 1) unit = std::gcd(unit, buffer.alignment);
    if (buffer.fixed_offset) unit = std::gcd(unit, *buffer.fixed_offset);
  }
  return std::max<Bytes>(unit, 1);
}

// The section each section is merged into: the last one, or one in which some buffer ends.
std::vector<int> clique_of(const Sections& sections, int* num_cliques) {
  std::vector<char> is_end(static_cast<std::size_t>(sections.count), 0);
  for (const SectionRange& range : sections.of)
    if (!range.empty()) is_end[static_cast<std::size_t>(range.last)] = 1;
  std::vector<int> clique(is_end.size());
  *num_cliques = 0;
  for (std::size_t s = 0; s < is_end.size(); ++s) {
    clique[s] = *num_cliques;
    if (is_end[s]) ++*num_cliques;
  }
  return clique;
}

// The part of each clique: a new one starts where no buffer crosses.
std::vector<int> part_of(const std::vector<SectionRange>& ranges, int num_cliques, int* num_parts) {
  std::vector<int> crossing(static_cast<std::size_t>(num_cliques) + 1, 0);
  for (const SectionRange& range : ranges) {
    if (range.empty()) continue;
    ++crossing[static_cast<std::size_t>(range.first)];
    --crossing[static_cast<std::size_t>(range.last)];
  }
  std::vector<int> part(static_cast<std::size_t>(num_cliques));
  *num_parts = 0;
  int live = 0;
  for (std::size_t s = 0; s < part.size(); ++s) {
    part[s] = *num_parts;
    live += crossing[s];
    if (live == 0) ++*num_parts;
  }
  return part;
}

void add_buffer(const Buffer& buffer, BufferId id, SectionRange range, Bytes unit,
                Instance* instance) {
  instance->id.push_back(id);
  instance->range.push_back(range);
  instance->size.push_back(buffer.size / unit);
  instance->alignment.push_back(std::max<Bytes>(1, buffer.alignment / unit));
  instance->fixed.push_back(buffer.fixed_offset ? *buffer.fixed_offset / unit
                                                : Instance::kNotFixed);
  instance->length.push_back(buffer.lifetime.length());
  instance->has_alignment |= instance->alignment.back() > 1;
  instance->has_fixed |= buffer.fixed_offset.has_value();
}

void fill_sections(int num_sections, Instance* instance) {
  const auto m = static_cast<std::size_t>(num_sections);
  instance->load.assign(m, 0);
  std::vector<std::size_t> begin(m + 1, 0);
  for (const SectionRange& range : instance->range)
    for (int s = range.first; s <= range.last; ++s) ++begin[static_cast<std::size_t>(s) + 1];
  for (std::size_t s = 0; s < m; ++s) begin[s + 1] += begin[s];
  instance->members_begin_ = begin;
  instance->members_.resize(begin.back());
  for (std::size_t b = 0; b < instance->size.size(); ++b)
    for (int s = instance->range[b].first; s <= instance->range[b].last; ++s) {
      instance->members_[begin[static_cast<std::size_t>(s)]++] = static_cast<int>(b);
      instance->load[static_cast<std::size_t>(s)] += instance->size[b];
    }
  for (Bytes load : instance->load) instance->max_load = std::max(instance->max_load, load);
  for (std::size_t b = 0; b < instance->size.size(); ++b)
    if (instance->fixed[b] != Instance::kNotFixed)
      instance->max_load = std::max(instance->max_load, instance->fixed[b] + instance->size[b]);
}

}  // namespace

Instances make_instances(const LayoutProblem& problem) {
  Instances result;
  result.unit = common_unit(problem);
  const Sections sections = make_sections(problem);
  int num_cliques = 0;
  const std::vector<int> clique = clique_of(sections, &num_cliques);
  std::vector<SectionRange> ranges;
  for (const SectionRange& range : sections.of)
    ranges.push_back(range.empty() ? SectionRange()
                                   : SectionRange{clique[static_cast<std::size_t>(range.first)],
                                                  clique[static_cast<std::size_t>(range.last)]});
  int num_parts = 0;
  const std::vector<int> part = part_of(ranges, num_cliques, &num_parts);
  result.parts.resize(static_cast<std::size_t>(num_parts));
  std::vector<int> first_clique(static_cast<std::size_t>(num_parts) + 1, num_cliques);
  for (int s = num_cliques - 1; s >= 0; --s)
    first_clique[static_cast<std::size_t>(part[static_cast<std::size_t>(s)])] = s;
  for (BufferId b : problem.buffers.ids()) {
    SectionRange range = ranges[b.index()];
    if (range.empty()) continue;
    const auto p = static_cast<std::size_t>(part[static_cast<std::size_t>(range.first)]);
    range.first -= first_clique[p];
    range.last -= first_clique[p];
    add_buffer(problem.buffers[b], b, range, result.unit, &result.parts[p]);
  }
  for (std::size_t p = 0; p < result.parts.size(); ++p)
    fill_sections(first_clique[p + 1] - first_clique[p], &result.parts[p]);
  return result;
}

Instance subset(const Instance& instance, std::span<const int> buffers) {
  Sections sections{.count = instance.num_sections(), .of = {}};
  for (int b : buffers) sections.of.push_back(instance.range[static_cast<std::size_t>(b)]);
  int num_cliques = 0;
  const std::vector<int> clique = clique_of(sections, &num_cliques);
  Instance result;
  for (int buffer : buffers) {
    const auto b = static_cast<std::size_t>(buffer);
    result.id.push_back(instance.id[b]);
    result.range.push_back({clique[static_cast<std::size_t>(instance.range[b].first)],
                            clique[static_cast<std::size_t>(instance.range[b].last)]});
    result.size.push_back(instance.size[b]);
    result.alignment.push_back(instance.alignment[b]);
    result.fixed.push_back(instance.fixed[b]);
    result.length.push_back(instance.length[b]);
    result.has_alignment |= instance.alignment[b] > 1;
    result.has_fixed |= instance.fixed[b] != Instance::kNotFixed;
  }
  fill_sections(num_cliques, &result);
  return result;
}

Bytes height_of(const Instance& instance, std::span<const Bytes> offsets) {
  Bytes height = 0;
  for (std::size_t b = 0; b < offsets.size(); ++b)
    height = std::max(height, offsets[b] + instance.size[b]);
  return height;
}

}  // namespace lowtide
