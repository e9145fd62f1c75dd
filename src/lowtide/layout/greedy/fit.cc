#include "lowtide/layout/greedy/fit.h"

#include <algorithm>

#include "lowtide/layout/time_index.h"

namespace lowtide {
namespace {

struct Extent {
  Bytes begin;
  Bytes end;
  friend auto operator<=>(const Extent&, const Extent&) = default;
};

class Fitter {
 public:
  Fitter(const LayoutProblem& problem, const Sections& sections, Layout* layout)
      : problem_(problem), sections_(sections), placed_(sections.count), layout_(layout) {
    layout->offsets.assign(problem.buffers.size(), 0);
    layout->height = 0;
  }

  void place(BufferId b, Bytes offset) {
    layout_->offsets[b] = offset;
    if (sections_.of[b].empty()) return;
    layout_->height = std::max(layout_->height, offset + problem_.buffers[b].size);
    placed_.insert(b, sections_.of[b]);
  }

  // The bytes of `b`'s placed neighbours, sorted.
  const std::vector<Extent>& taken(BufferId b) {
    taken_.clear();
    placed_.visit(sections_.of[b], [&](BufferId other) {
      const Bytes begin = layout_->offsets[other];
      taken_.push_back({begin, begin + problem_.buffers[other].size});
    });
    std::sort(taken_.begin(), taken_.end());
    return taken_;
  }

  // How much the last find() had to look at.
  std::int64_t neighbours_seen() const { return static_cast<std::int64_t>(taken_.size()); }

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
  TimeIndex<BufferId> placed_;
  Layout* layout_;
  std::vector<Extent> taken_;
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
    if (meter->spend(1 + fitter.neighbours_seen() / 8)) return false;
  }
  return true;
}

}  // namespace lowtide
