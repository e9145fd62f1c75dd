// The parts of a layout problem (layout/search/instance), each between its bound and its best
// height, and what they say together: the whole is as high as its highest part, and so is its
// bound.
#pragma once

#include <algorithm>
#include <vector>

#include "lowtide/base/limits.h"
#include "lowtide/base/solution.h"
#include "lowtide/layout/search/instance.h"
#include "lowtide/model/layout_problem.h"

namespace lowtide {

// What is known of one part, in units.
struct PartAnswer {
  // Heights below `target` are not wanted.
  bool open(Bytes target) const { return height > std::max(target, bound); }
  void improve(std::vector<Bytes> better) {
    offsets = std::move(better);
    height = height_of(*instance, offsets);
  }

  const Instance* instance;
  std::vector<Bytes> offsets;  // by buffer of the instance
  Bytes height;
  Bytes bound;
};

class PartAnswers {
 public:
  // Each part begins with its share of `incumbent`, and its load for a bound.
  PartAnswers(const LayoutProblem& problem, Layout incumbent);
  PartAnswers(const PartAnswers&) = delete;
  PartAnswers& operator=(const PartAnswers&) = delete;

  std::vector<PartAnswer>& parts() { return parts_; }

  // The lowest height that is of any use, in units: the bound, or the capacity rounded down, for no
  // layout ends in between.
  Bytes target() const;
  // Nothing more is wanted, or the capacity is proved too small.
  bool is_settled() const;
  void report_to(const Limits& limits) const;
  Solution<Layout> solution() &&;

 private:
  Bytes height() const;
  Bytes bound() const;

  const LayoutProblem& problem_;
  Instances instances_;
  std::vector<PartAnswer> parts_;
  Layout best_;
};

}  // namespace lowtide
