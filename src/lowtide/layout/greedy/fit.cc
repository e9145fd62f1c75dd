#include "lowtide/layout/greedy/fit.h"

#include <algorithm>

#include "lowtide/layout/greedy/lifetime_index.h"

namespace lowtide {
namespace {

struct Extent {
  Bytes begin;
  Bytes end;
  friend auto operator<=>(const Extent&, const Extent&) = default;
};

constexpr Extent kNowhere{-1, -1};

class Fitter {
 public:
  Fitter(const LayoutProblem& problem, const Sections& sections, Layout* layout)
      : problem_(problem),
        sections_(sections),
        index_(sections),
        position_(problem.buffers.size()),
        placed_(static_cast<std::size_t>(index_.size()), kNowhere),
        layout_(layout) {
    layout->offsets.assign(problem.buffers.size(), 0);
    layout->height = 0;
    for (int i = 0; i < index_.size(); ++i) position_[index_.buffer(i)] = i;
  }

  void place(BufferId b, Bytes offset) {
    layout_->offsets[b] = offset;
    if (sections_.of[b].empty()) return;
    const Bytes end = offset + problem_.buffers[b].size;
    layout_->height = std::max(layout_->height, end);
    placed_[static_cast<std::size_t>(position_[b])] = {offset, end};
  }

  // The bytes of `b`'s placed neighbours, sorted.
  const std::vector<Extent>& taken(BufferId b) {
    taken_.clear();
    looked_at_ = index_.visit(sections_.of[b], [&](int position) {
      const Extent& extent = placed_[static_cast<std::size_t>(position)];
      if (extent != kNowhere) taken_.push_back(extent);
    });
    std::sort(taken_.begin(), taken_.end());
    return taken_;
  }

  // How much the last find() had to look at.
  std::int64_t looked_at() const { return looked_at_; }

  Bytes find(BufferId b, Fit fit) {
    const Buffer& buffer = problem_.buffers[b];
    Bytes top = 0;
    Bytes best = -1;
    Bytes best_gap = kMaxBytes;
    for (const Extent& extent : taken(b)) {
      const Bytes offset = align_up(top, buffer.alignment);
      const Bytes gap = extent.begin - offset;
      if (gap >= buffer.size && gap < best_gap) {
        if (fit == Fit::kLowest) return offset;
        best = offset;
        best_gap = gap;
      }
      top = std::max(top, extent.end);
    }
    return best >= 0 ? best : align_up(top, buffer.alignment);
  }

 private:
  const LayoutProblem& problem_;
  const Sections& sections_;
  LifetimeIndex index_;
  IdVector<BufferId, int> position_;  // in the index
  std::vector<Extent> placed_;        // by position
  Layout* layout_;
  std::vector<Extent> taken_;
  std::int64_t looked_at_ = 0;
};

}  // namespace

bool fit_layout(const LayoutProblem& problem, const Sections& sections,
                const std::vector<BufferId>& order, Fit fit, Meter* meter, Layout* layout) {
  Fitter fitter(problem, sections, layout);
  for (BufferId b : order)
    if (const auto fixed = problem.buffers[b].fixed_offset) fitter.place(b, *fixed);
  for (BufferId b : order) {
    if (problem.buffers[b].fixed_offset) continue;
    const Bytes offset = sections.of[b].empty() ? 0 : fitter.find(b, fit);
    fitter.place(b, offset);
    if (meter->spend(1 + fitter.looked_at() / 8)) return false;
  }
  return true;
}

}  // namespace lowtide
