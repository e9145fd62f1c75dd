#include "lowtide/layout/shapes/shape_fit.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "lowtide/layout/shapes/time_index.h"

namespace lowtide {
namespace {

// An open interval of offsets that a shape can't have.
struct Forbidden {
  Bytes lower;
  Bytes upper;
  friend auto operator<=>(const Forbidden&, const Forbidden&) = default;
};

struct PlacedPiece {
  Bytes begin;
  Bytes end;
};

class Fitter {
 public:
  Fitter(const ShapeProblem& problem, const ShapePieces& pieces)
      : problem_(problem), pieces_(pieces), placed_(pieces.num_sections) {
    layout_.offsets.assign(problem.shapes.size(), 0);
  }

  const Layout& layout() const { return layout_; }
  std::int64_t neighbours_seen() const { return static_cast<std::int64_t>(forbidden_.size()); }

  void place(BufferId b, Bytes offset) {
    layout_.offsets[b] = offset;
    if (!problem_.shapes[b].takes_room()) return;
    layout_.height = std::max(layout_.height, offset + problem_.shapes[b].size);
    for (const Piece& piece : pieces_.of[b])
      placed_.insert({offset + piece.lower, offset + piece.upper}, piece.range);
  }

  bool is_free(BufferId b, Bytes offset) {
    if (aligned(problem_.shapes[b], offset) != offset) return false;
    look_around(b);
    return std::none_of(forbidden_.begin(), forbidden_.end(),
                        [&](const Forbidden& f) { return f.lower < offset && offset < f.upper; });
  }

  // The lowest free offset; `tightest`: the one with the least room above it, the lowest of these.
  Bytes find(BufferId b, bool tightest) {
    const Shape& shape = problem_.shapes[b];
    look_around(b);
    Bytes best = -1, least_room = kMaxBytes;
    Bytes offset = aligned(shape, 0);
    for (const Forbidden& forbidden : forbidden_) {
      if (offset <= forbidden.lower && forbidden.lower - offset < least_room) {
        if (!tightest) return offset;
        best = offset;
        least_room = forbidden.lower - offset;
      }
      if (offset < forbidden.upper) offset = aligned(shape, forbidden.upper);
    }
    return best >= 0 ? best : offset;
  }

 private:
  void look_around(BufferId b) {
    forbidden_.clear();
    for (const Piece& piece : pieces_.of[b])
      placed_.visit(piece.range, [&](const PlacedPiece& other) {
        forbidden_.push_back({other.begin - piece.upper, other.end - piece.lower});
      });
    std::sort(forbidden_.begin(), forbidden_.end());
  }

  const ShapeProblem& problem_;
  const ShapePieces& pieces_;
  TimeIndex<PlacedPiece> placed_;
  Layout layout_;
  std::vector<Forbidden> forbidden_;
};

double start_of(const Shape& shape) {
  Step start = shape.takes_room() ? shape.parts.front().lifetime.lower : 0;
  for (const ShapePart& part : shape.parts) start = std::min(start, part.lifetime.lower);
  return -static_cast<double>(start);
}

double size_of(const Shape& shape) { return static_cast<double>(shape.size); }

using Key = double (*)(const Shape&);

class Fits {
 public:
  Fits(const ShapeProblem& problem, const IdVector<BufferId, Bytes>& hints, Bytes good_enough,
       const Limits& limits)
      : problem_(problem),
        hints_(hints),
        pieces_(make_pieces(problem)),
        good_enough_(good_enough),
        meter_(limits),
        best_(stacked(problem)) {}

  Fitted run() {
    for (const auto& [key, tightest] : {std::pair<Key, bool>{area_of, false},
                                        {steps_of, false},
                                        {size_of, false},
                                        {start_of, false},
                                        {start_of, true}})
      if (!is_done()) try_order(sorted_by(key), tightest);
    return {std::move(best_), std::move(order_)};
  }

 private:
  // Hints deserve a try even where the stack is good enough.
  bool is_done() const {
    return meter_.stopped() || (!order_.empty() && best_.height <= good_enough_);
  }

  std::vector<BufferId> sorted_by(Key key) const {
    std::vector<std::pair<double, BufferId>> keyed;
    for (BufferId b : problem_.shapes.ids()) keyed.emplace_back(-key(problem_.shapes[b]), b);
    std::sort(keyed.begin(), keyed.end(), [&](const auto& a, const auto& b) {
      const auto size = [&](BufferId id) { return -problem_.shapes[id].size; };
      return std::tuple(a.first, size(a.second), a.second) <
             std::tuple(b.first, size(b.second), b.second);
    });
    std::vector<BufferId> order;
    for (const auto& [value, b] : keyed) order.push_back(b);
    return order;
  }

  void try_order(const std::vector<BufferId>& order, bool tightest) {
    Fitter fitter(problem_, pieces_);
    IdVector<BufferId, char> is_placed(problem_.shapes.size(), 0);
    const auto place = [&](BufferId b, Bytes offset) {
      fitter.place(b, offset);
      is_placed[b] = 1;
      return !meter_.spend(1 + fitter.neighbours_seen() / 8);
    };
    for (BufferId b : order)
      if (const auto fixed = problem_.shapes[b].fixed_offset) place(b, *fixed);
    for (BufferId b : order)
      if (!is_placed[b] && hints_[b] >= 0 && fitter.is_free(b, hints_[b])) place(b, hints_[b]);
    for (BufferId b : order)
      if (!is_placed[b] && !place(b, fitter.find(b, tightest))) return;
    if (!order_.empty() && fitter.layout().height >= best_.height) return;
    best_ = fitter.layout();
    order_ = order;
  }

  const ShapeProblem& problem_;
  const IdVector<BufferId, Bytes>& hints_;
  ShapePieces pieces_;
  Bytes good_enough_;
  Meter meter_;
  Layout best_;
  std::vector<BufferId> order_;  // of the best
};

}  // namespace

Layout stacked(const ShapeProblem& problem) {
  Layout layout;
  layout.offsets.assign(problem.shapes.size(), 0);
  for (BufferId b : problem.shapes.ids())
    if (const auto fixed = problem.shapes[b].fixed_offset) layout.offsets[b] = *fixed;
  for (BufferId b : problem.shapes.ids())
    if (problem.shapes[b].fixed_offset && problem.shapes[b].takes_room())
      layout.height = std::max(layout.height, layout.offsets[b] + problem.shapes[b].size);
  for (BufferId b : problem.shapes.ids()) {
    const Shape& shape = problem.shapes[b];
    if (shape.fixed_offset) continue;
    layout.offsets[b] = aligned(shape, shape.takes_room() ? layout.height : 0);
    if (shape.takes_room()) layout.height = layout.offsets[b] + shape.size;
  }
  return layout;
}

Fitted fit_shapes(const ShapeProblem& problem, const IdVector<BufferId, Bytes>& hints,
                  Bytes good_enough, const Limits& limits) {
  return Fits(problem, hints, good_enough, limits).run();
}

std::optional<Layout> fit_in_order(const ShapeProblem& problem, const ShapePieces& pieces,
                                   const std::vector<BufferId>& order, Meter* meter) {
  Fitter fitter(problem, pieces);
  for (BufferId b : order)
    if (const auto fixed = problem.shapes[b].fixed_offset) fitter.place(b, *fixed);
  for (BufferId b : order) {
    if (problem.shapes[b].fixed_offset) continue;
    fitter.place(b, fitter.find(b, false));
    if (meter->spend(1 + fitter.neighbours_seen() / 8)) return std::nullopt;
  }
  return fitter.layout();
}

}  // namespace lowtide
