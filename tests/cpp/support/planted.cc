#include "support/planted.h"

#include <algorithm>
#include <random>
#include <vector>

namespace lowtide::testing {
namespace {

struct Piece {
  Interval time;
  Bytes bottom;
  Bytes top;
};

class Cutter {
 public:
  explicit Cutter(std::uint64_t seed) : random_(seed) {}

  // The pieces of one; only the piece itself where it is too small.
  std::vector<Piece> cut(const Piece& piece) {
    if (random_() % 2 == 0) return pinwheel(piece);
    return random_() % 2 == 0 ? across_time(piece) : across_bytes(piece);
  }

  std::size_t below(std::size_t count) { return random_() % count; }
  std::mt19937_64& random() { return random_; }

 private:
  // Strictly between.
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + 1 + static_cast<std::int64_t>(below(static_cast<std::size_t>(high - low - 1)));
  }

  std::vector<Piece> across_time(const Piece& p) {
    if (p.time.length() < 2) return {p};
    const Step middle = static_cast<Step>(between(p.time.lower, p.time.upper));
    return {{{p.time.lower, middle}, p.bottom, p.top}, {{middle, p.time.upper}, p.bottom, p.top}};
  }

  std::vector<Piece> across_bytes(const Piece& p) {
    if (p.top - p.bottom < 2) return {p};
    const Bytes middle = between(p.bottom, p.top);
    return {{p.time, p.bottom, middle}, {p.time, middle, p.top}};
  }

  // Four arms around a core.
  std::vector<Piece> pinwheel(const Piece& p) {
    const auto [lower, upper] = p.time;
    if (upper - lower < 3 || p.top - p.bottom < 3) return {p};
    const Step x2 = static_cast<Step>(between(lower + 1, upper));
    const Step x1 = static_cast<Step>(between(lower, x2));
    const Bytes y2 = between(p.bottom + 1, p.top);
    const Bytes y1 = between(p.bottom, y2);
    return {{{lower, x2}, p.bottom, y1},
            {{x2, upper}, p.bottom, y2},
            {{x1, upper}, y2, p.top},
            {{lower, x1}, y1, p.top},
            {{x1, x2}, y1, y2}};
  }

  std::mt19937_64 random_;
};

}  // namespace

LayoutProblem planted(std::uint64_t seed, int count, Interval time, Bytes height) {
  Cutter cutter(seed);
  std::vector<Piece> pieces = {{time, 0, height}};
  while (pieces.size() < static_cast<std::size_t>(count)) {
    const std::size_t i = cutter.below(pieces.size());
    const std::vector<Piece> parts = cutter.cut(pieces[i]);
    pieces[i] = parts.front();
    pieces.insert(pieces.end(), parts.begin() + 1, parts.end());
  }
  std::shuffle(pieces.begin(), pieces.end(), cutter.random());
  LayoutProblem problem;
  for (const Piece& piece : pieces)
    problem.buffers.push_back({.lifetime = piece.time, .size = piece.top - piece.bottom});
  return problem;
}

}  // namespace lowtide::testing
