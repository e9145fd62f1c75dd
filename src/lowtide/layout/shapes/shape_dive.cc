#include "lowtide/layout/shapes/shape_dive.h"

#include <algorithm>
#include <queue>
#include <tuple>

#include "lowtide/base/unit_interval.h"
#include "lowtide/layout/shapes/shape_fit.h"

namespace lowtide {
namespace {

constexpr double kPace = 0.5;  // of learning

// A value a section; ranges are set, and asked for their highest.
class Floors {
 public:
  explicit Floors(int num_sections) : count_(num_sections) {
    while (leaves_ < num_sections) leaves_ *= 2;
    highest_.assign(static_cast<std::size_t>(2 * leaves_), 0);
    is_flat_.assign(static_cast<std::size_t>(2 * leaves_), 0);
  }

  Bytes highest(SectionRange range) const { return highest(1, 0, leaves_ - 1, range); }
  void set(SectionRange range, Bytes value) { set(1, 0, leaves_ - 1, range, value); }

  std::vector<Bytes> values() const {
    std::vector<Bytes> values;
    for (int s = 0; s < count_; ++s) values.push_back(highest({s, s}));
    return values;
  }

 private:
  static bool is_within(int first, int last, SectionRange range) {
    return range.first <= first && last <= range.last;
  }
  static bool is_apart(int first, int last, SectionRange range) {
    return range.last < first || last < range.first;
  }
  static std::size_t at(int node) { return static_cast<std::size_t>(node); }

  Bytes highest(int node, int first, int last, SectionRange range) const {
    if (is_apart(first, last, range)) return 0;
    if (is_flat_[at(node)] != 0 || is_within(first, last, range)) return highest_[at(node)];
    const int middle = (first + last) / 2;
    return std::max(highest(2 * node, first, middle, range),
                    highest(2 * node + 1, middle + 1, last, range));
  }

  void set(int node, int first, int last, SectionRange range, Bytes value) {
    if (is_apart(first, last, range)) return;
    if (is_within(first, last, range)) {
      highest_[at(node)] = value;
      is_flat_[at(node)] = 1;
      return;
    }
    if (is_flat_[at(node)] != 0) {
      for (int child : {2 * node, 2 * node + 1}) {
        highest_[at(child)] = highest_[at(node)];
        is_flat_[at(child)] = 1;
      }
      is_flat_[at(node)] = 0;
    }
    const int middle = (first + last) / 2;
    set(2 * node, first, middle, range, value);
    set(2 * node + 1, middle + 1, last, range, value);
    highest_[at(node)] = std::max(highest_[at(2 * node)], highest_[at(2 * node + 1)]);
  }

  int count_;
  int leaves_ = 1;
  std::vector<Bytes> highest_;
  std::vector<char> is_flat_;  // all of it has one value; what is below may be old
};

}  // namespace

ShapeDives::ShapeDives(const ShapeProblem& problem, std::uint64_t seed)
    : problem_(problem), pieces_(make_pieces(problem)), random_(seed) {
  fullness_.assign(static_cast<std::size_t>(pieces_.num_sections), 0);
  for (BufferId b : problem.shapes.ids()) {
    steps_.push_back(steps_of(problem.shapes[b]));
    area_.push_back(area_of(problem.shapes[b]));
    has_fixed_ = has_fixed_ || problem.shapes[b].fixed_offset.has_value();
    for (const Piece& piece : pieces_.of[b])
      for (int s = piece.range.first; s <= piece.range.last; ++s)
        fullness_[static_cast<std::size_t>(s)] += static_cast<double>(piece.upper - piece.lower);
  }
}

double ShapeDives::fullest(BufferId b) const {
  double most = 0;
  for (const Piece& piece : pieces_.of[b])
    for (int s = piece.range.first; s <= piece.range.last; ++s)
      most = std::max(most, fullness_[static_cast<std::size_t>(s)]);
  return most;
}

std::vector<BufferId> ShapeDives::ranked(int round) {
  constexpr int kPlain = 4;
  constexpr double kNoise[] = {0.05, 0.1, 0.2, 0.4};
  const bool learned = round >= kPlain;
  const double noise = learned && round % 4 >= 2 ? kNoise[round / 4 % 4] : 0;
  std::vector<std::tuple<double, double, BufferId>> keyed;
  for (BufferId b : problem_.shapes.ids()) {
    const double plain[kPlain] = {
        steps_[b], area_[b], static_cast<double>(problem_.shapes[b].size),
        pieces_.of[b].empty() ? 0 : -static_cast<double>(pieces_.of[b].front().range.first)};
    double weight = learned ? plain[round % 2] : area_[b];
    double first = learned ? fullest(b) : plain[round];
    if (noise > 0) {
      const double unit = unit_interval(random_());
      weight *= 1 + noise * (2 * unit - 1);
      first *= 1 + noise / 4 * (2 * unit - 1);
    }
    keyed.emplace_back(-first, -weight, b);
  }
  std::sort(keyed.begin(), keyed.end());
  std::vector<BufferId> order;
  for (const auto& [first, weight, b] : keyed) order.push_back(b);
  return order;
}

// The shapes in the order of their offsets; fewer if the meter stopped it.
std::vector<BufferId> ShapeDives::dive(const std::vector<BufferId>& ranked, Meter* meter) {
  Floors floors(pieces_.num_sections);
  const auto lowest = [&](BufferId b) {
    Bytes offset = 0;
    for (const Piece& piece : pieces_.of[b])
      offset = std::max(offset, floors.highest(piece.range) - piece.lower);
    return aligned(problem_.shapes[b], offset);
  };
  using Entry = std::pair<Bytes, std::size_t>;  // offset, rank
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> heap;
  for (std::size_t rank = 0; rank < ranked.size(); ++rank) heap.emplace(lowest(ranked[rank]), rank);
  std::vector<BufferId> order;
  for (std::int64_t looks = 0; !heap.empty(); ++looks) {
    if (looks % 16 == 0 && meter->spend()) return order;
    const auto [offset, rank] = heap.top();
    heap.pop();
    const BufferId b = ranked[rank];
    if (const Bytes now = lowest(b); now > offset) {
      heap.emplace(now, rank);
      continue;
    }
    order.push_back(b);
    for (const Piece& piece : pieces_.of[b]) floors.set(piece.range, offset + piece.upper);
  }
  floors_ = floors.values();
  return order;
}

void ShapeDives::learn() {
  for (std::size_t s = 0; s < fullness_.size(); ++s)
    fullness_[s] += kPace * (static_cast<double>(floors_[s]) - fullness_[s]);
}

Layout ShapeDives::improve(Layout best, Bytes good_enough, int dives, Meter* meter) {
  if (has_fixed_) return best;
  for (int i = 0; i < dives && best.height > good_enough && !meter->stopped(); ++i, ++round_) {
    const std::vector<BufferId> order = dive(ranked(round_), meter);
    if (order.size() < problem_.shapes.size()) break;
    if (round_ >= 4 && round_ % 4 < 2) learn();
    auto layout = fit_in_order(problem_, pieces_, order, meter);
    if (layout && layout->height < best.height) best = *std::move(layout);
  }
  return best;
}

}  // namespace lowtide
