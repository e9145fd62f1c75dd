// A layout problem in the form the exact searches work on: one stretch of time that no buffer's
// lifetime leaves, sizes divided by their common divisor, time compressed to maximal cliques.
//
//   problem --split where no buffer is alive--> parts, each an Instance of its own
//
// Unit. Every offset that a bottom-up placement can come to is a sum of sizes rounded up to
// alignments, so a multiple of the greatest common divisor of sizes, alignments and fixed offsets.
//
// Sections. Two buffers collide exactly if some section holds both. A section whose buffers are all
// in its neighbour too says nothing new and is merged into it; what is left are the maximal cliques
// of the interval graph, in time order.
#pragma once

#include <span>
#include <vector>

#include "lowtide/layout/sections.h"
#include "lowtide/model/layout_problem.h"

namespace lowtide {

// Buffers and sections are numbered from 0 within the instance; all bytes are in units.
struct Instance {
  static constexpr Bytes kNotFixed = -1;

  std::vector<BufferId> id;  // which buffer of the problem
  std::vector<SectionRange> range;
  std::vector<Bytes> size;
  std::vector<Bytes> alignment;
  std::vector<Bytes> fixed;  // the given offset, or kNotFixed
  std::vector<Step> length;  // of the lifetime, in steps

  std::vector<Bytes> load;  // per section
  Bytes max_load = 0;       // also at least every fixed end
  bool has_alignment = false;
  bool has_fixed = false;

  int num_buffers() const { return static_cast<int>(size.size()); }
  int num_sections() const { return static_cast<int>(load.size()); }
  std::span<const int> members(int section) const {
    const auto s = static_cast<std::size_t>(section);
    return {members_.data() + members_begin_[s], members_.data() + members_begin_[s + 1]};
  }

  std::vector<int> members_;
  std::vector<std::size_t> members_begin_;
};

struct Instances {
  Bytes unit = 1;
  std::vector<Instance> parts;  // in time order; buffers of no bytes or no lifetime are in none
};

// O(n log n + sum of the sections each buffer lives in).
Instances make_instances(const LayoutProblem& problem);

// Some of the buffers, in the order given, in the same units; its sections are maximal again.
Instance subset(const Instance& instance, std::span<const int> buffers);

// The highest end of a buffer; offsets by buffer, in units.
Bytes height_of(const Instance& instance, std::span<const Bytes> offsets);

}  // namespace lowtide
