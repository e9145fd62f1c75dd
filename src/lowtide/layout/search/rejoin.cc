#include "lowtide/layout/search/rejoin.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <span>
#include <utility>

#include "lowtide/base/unit_interval.h"

namespace lowtide {
namespace {

constexpr std::size_t kMaxBundles = 1000;  // of a side
constexpr std::size_t kMaxArms = 64;       // of a side: bundles that pinwheels may be made of
constexpr std::size_t kMaxPieces = 64;     // of a side: a bit each
constexpr std::size_t kMaxJoints = 500;    // of a boundary
// Joints less accidental than that are as good as certain.
constexpr double kCertain = 1e-4;

std::size_t at(int i) { return static_cast<std::size_t>(i); }

// Those of that size, of bundles by size.
template <class Bundles>
auto of_size(const Bundles& bundles, Bytes size) {
  const auto less = [](const auto& bundle, Bytes than) { return bundle.size < than; };
  const auto first = std::lower_bound(bundles.begin(), bundles.end(), size, less);
  const auto last = std::lower_bound(first, bundles.end(), size + 1, less);
  return std::span(first, last);
}

}  // namespace

Rejoin::Rejoin(const Instance& instance, const Options& options, Meter* meter)
    : instance_(instance), options_(options), meter_(meter), random_(options.seed) {
  const std::size_t boundaries = at(instance.num_sections()) + 1;
  enders_.resize(boundaries);
  starters_.resize(boundaries);
  version_.assign(boundaries, 0);
  is_stale_.assign(boundaries, 1);
  joints_.resize(boundaries);
  for (int b = 0; b < instance.num_buffers(); ++b)
    add_piece({instance.range[at(b)], instance.size[at(b)], instance.length[at(b)], {{b, 0}}});
  for (Bytes size : instance.size) ++number_of_[size];
  if (!instance.has_alignment && !instance.has_fixed) join_all();
  build();
}

void Rejoin::add_piece(Piece piece) {
  const int id = static_cast<int>(pieces_.size());
  starters_[at(piece.range.first)].pieces.push_back(id);
  enders_[at(piece.range.last + 1)].pieces.push_back(id);
  pieces_.push_back(std::move(piece));
}

void Rejoin::join_all() {
  while (!meter_->stopped()) {
    find_joints();
    const std::vector<Joint> joints = most_certain_joints();
    if (joints.empty()) break;
    for (const Joint& joint : joints) apply(joint);
  }
}

void Rejoin::find_joints() {
  for (std::size_t x = 0; x < is_stale_.size(); ++x) {
    if (!is_stale_[x]) continue;
    fill_bundles(pieces_, &enders_[x]);
    fill_bundles(pieces_, &starters_[x]);
  }
  for (std::size_t x = 0; x < is_stale_.size(); ++x) {
    if (!is_stale_[x]) continue;
    const int boundary = static_cast<int>(x);
    joints_[x].clear();
    find_stacks(boundary);
    find_neighbours(boundary);
    find_pinwheels(boundary);
  }
  std::fill(is_stale_.begin(), is_stale_.end(), 0);
}

// All that are as good as certain, or else the best one; best first.
std::vector<Rejoin::Joint> Rejoin::most_certain_joints() const {
  std::vector<Joint> certain;
  double most = kCertain;
  for (const std::vector<Joint>& joints : joints_)
    for (const Joint& joint : joints) {
      if (joint.accidents > most && !certain.empty()) continue;
      if (certain.empty()) most = std::max(kCertain, joint.accidents);
      certain.push_back(joint);
    }
  const auto less = [](const Joint& a, const Joint& b) { return a.accidents < b.accidents; };
  std::stable_sort(certain.begin(), certain.end(), less);
  if (!certain.empty() && certain.front().accidents > kCertain) certain.resize(1);
  return certain;
}

// All subsets of few pieces of one lifetime, smallest number first, as far as there is room.
void Rejoin::fill_bundles(const std::vector<Piece>& pieces, Side* side) {
  std::vector<Bundle>& bundles = side->bundles;
  bundles.clear();
  side->of_count = {};
  const std::size_t singles = std::min(kMaxPieces, side->pieces.size());
  for (std::size_t i = 0; i < singles; ++i) {
    const Piece& piece = pieces[at(side->pieces[i])];
    bundles.push_back({piece.range, piece.size, 1, std::uint64_t{1} << i});
  }
  for (std::size_t i = 0; i < bundles.size() && bundles[i].count < kMaxCount; ++i)
    for (std::size_t j = 0; j < singles && bundles.size() < kMaxBundles; ++j) {
      const Bundle one = bundles[j];
      const Bundle& some = bundles[i];
      const bool alike = some.range.first == one.range.first && some.range.last == one.range.last;
      if (alike && one.bits > some.bits)
        bundles.push_back({one.range, some.size + one.size, some.count + 1, some.bits | one.bits});
    }
  for (const Bundle& bundle : bundles) ++side->of_count[at(bundle.count)];
  side->arms.clear();
  for (const Bundle& bundle : bundles)
    if (bundle.count <= 2 && side->arms.size() < kMaxArms) side->arms.push_back(bundle);
  const auto less = [](const Bundle& a, const Bundle& b) { return a.size < b.size; };
  std::stable_sort(bundles.begin(), bundles.end(), less);
  std::stable_sort(side->arms.begin(), side->arms.end(), less);
}

// That a size comes to `size` by accident: as often as others do.
double Rejoin::chance(Bytes size) const {
  const auto of_size = number_of_.find(size);
  const double others = of_size == number_of_.end() ? 0 : of_size->second - 2;
  return std::max(1 / static_cast<double>(size), others / instance_.num_buffers());
}

// Lifetimes agree by chance as often as others start or end with them, spread over their length.
void Rejoin::find_stacks(int boundary) {
  const Side& side = starters_[at(boundary)];
  for (const Bundle& pair : side.bundles) {
    if (pair.count != 2) continue;
    const std::size_t enders = enders_[at(pair.range.last + 1)].pieces.size();
    const double others = static_cast<double>((side.pieces.size() - 1) * (enders - 1));
    add({boundary, boundary}, others / pair.range.size(), {{&side, pair.bits, 0}});
  }
}

// Smallest first, and none that holds another: two joints, one above the other, look like one.
void Rejoin::find_neighbours(int boundary) {
  const Side& left = enders_[at(boundary)];
  const Side& right = starters_[at(boundary)];
  std::vector<std::pair<const Bundle*, const Bundle*>> pairs;
  for (const Bundle& a : left.bundles)
    for (const Bundle& b : of_size(right.bundles, a.size)) pairs.push_back({&a, &b});
  std::stable_sort(pairs.begin(), pairs.end(), [](const auto& x, const auto& y) {
    return x.first->count + x.second->count < y.first->count + y.second->count;
  });
  std::vector<std::pair<const Bundle*, const Bundle*>> joined;
  for (const auto& pair : pairs) {
    const Bundle *a = pair.first, *b = pair.second;
    const bool holds_another = std::any_of(joined.begin(), joined.end(), [&](const auto& other) {
      return (other.first->bits & ~a->bits) == 0 && (other.second->bits & ~b->bits) == 0;
    });
    if (holds_another) continue;
    joined.push_back(pair);
    const double alternatives = left.of_count[at(a->count)] * right.of_count[at(b->count)];
    add({boundary, boundary}, alternatives * chance(a->size),
        {{&left, a->bits, 0}, {&right, b->bits, 0}});
  }
}

void Rejoin::find_pinwheels(int boundary) {
  for (const Bundle& core : starters_[at(boundary)].arms)
    for (const Bundle& arm : starters_[at(boundary)].arms)
      if (core.count + arm.count <= 3 && core.range.last < arm.range.last)
        find_pinwheels(boundary, core, arm);
}

// The letters are those of the header.
void Rejoin::find_pinwheels(int x1, const Bundle& k, const Bundle& c) {
  const int x2 = k.range.last + 1;
  const Side& left1 = enders_[at(x1)];
  const Side& right1 = starters_[at(x1)];
  const Side& left2 = enders_[at(x2)];
  const Side& right2 = starters_[at(x2)];
  for (const Bundle& d : of_size(left1.arms, c.size + k.size))
    for (const Bundle& a : left2.arms) {
      if (a.range.first != d.range.first) continue;
      for (const Bundle& b : of_size(right2.arms, a.size + k.size)) {
        const int count = a.count + b.count + c.count + d.count + k.count - 4;
        if (b.range.last != c.range.last || count > 2) continue;
        add({x1, x2}, pinwheel_alternatives(x1, x2, count) * chance(d.size) * chance(b.size),
            {{&left2, a.bits, 0},
             {&left1, d.bits, a.size},
             {&right1, k.bits, a.size},
             {&right1, c.bits, a.size + k.size},
             {&right2, b.bits, 0}});
      }
    }
}

// Arms on the left that start together, times arms on the right that end together.
double Rejoin::pinwheel_alternatives(int x1, int x2, int count) const {
  const auto pairs = [&](const Side& x, const Side& y, int SectionRange::*end) {
    double number = 0;
    for (const Bundle& p : x.arms)
      for (const Bundle& q : y.arms)
        number += p.count <= count && q.count <= count && p.range.*end == q.range.*end;
    return number;
  };
  return pairs(enders_[at(x1)], enders_[at(x2)], &SectionRange::first) *
         pairs(starters_[at(x1)], starters_[at(x2)], &SectionRange::last);
}

void Rejoin::add(std::array<int, 2> boundary, double accidents, std::initializer_list<Part> parts) {
  std::vector<Joint>& joints = joints_[at(boundary[0])];
  if (joints.size() >= kMaxJoints) return;
  if (options_.noise > 0)
    accidents *= std::exp(options_.noise * (2 * unit_interval(random_()) - 1));
  if (accidents > options_.most_accidents) return;
  Joint joint{accidents, boundary, {version_[at(boundary[0])], version_[at(boundary[1])]}, {}};
  std::copy(parts.begin(), parts.end(), joint.parts.begin());
  joints.push_back(joint);
}

void Rejoin::apply(const Joint& joint) {
  for (const std::size_t i : {0u, 1u})
    if (joint.version[i] != version_[at(joint.boundary[i])]) return;
  std::vector<std::pair<int, Bytes>> parts;
  for (const Part& part : joint.parts) {
    Bytes offset = part.offset;
    for (std::uint64_t bits = part.bits; bits != 0; bits &= bits - 1) {
      const int piece = part.side->pieces[at(std::countr_zero(bits))];
      parts.push_back({piece, offset});
      offset += pieces_[at(piece)].size;
    }
  }
  Piece whole{pieces_[at(parts.front().first)].range, 0, 0, {}};
  for (const auto& [piece, offset] : parts) {
    const Piece& part = pieces_[at(piece)];
    whole.range.first = std::min(whole.range.first, part.range.first);
    whole.range.last = std::max(whole.range.last, part.range.last);
    whole.size = std::max(whole.size, offset + part.size);
    if (offset == 0) whole.length += part.length;
    for (const Member& member : part.members)
      whole.members.push_back({member.buffer, offset + member.offset});
  }
  for (const auto& [piece, offset] : parts) remove(piece);
  add_piece(std::move(whole));
  meter_->spend();
}

void Rejoin::remove(int piece) {
  Piece& removed = pieces_[at(piece)];
  removed.is_live = false;
  std::erase(starters_[at(removed.range.first)].pieces, piece);
  std::erase(enders_[at(removed.range.last + 1)].pieces, piece);
  touch(removed.range.first);
  touch(removed.range.last + 1);
}

// Joints at the boundary are void, and so are pinwheels whose core ends there.
void Rejoin::touch(int boundary) {
  ++version_[at(boundary)];
  is_stale_[at(boundary)] = 1;
  for (int piece : enders_[at(boundary)].pieces) is_stale_[at(pieces_[at(piece)].range.first)] = 1;
}

void Rejoin::build() {
  std::erase_if(pieces_, [](const Piece& piece) { return !piece.is_live; });
  Instance joined;
  std::vector<int> all;
  for (const Piece& piece : pieces_) {
    const std::size_t b = at(piece.members.front().buffer);
    all.push_back(static_cast<int>(all.size()));
    joined.id.push_back(instance_.id[b]);
    joined.range.push_back(piece.range);
    joined.size.push_back(piece.size);
    joined.alignment.push_back(instance_.alignment[b]);
    joined.fixed.push_back(instance_.fixed[b]);
    joined.length.push_back(piece.length);
  }
  joined.load = instance_.load;
  joined_ = subset(joined, all);
}

std::vector<Bytes> Rejoin::offsets(const std::vector<Bytes>& of_joined) const {
  std::vector<Bytes> offsets(at(instance_.num_buffers()));
  for (std::size_t p = 0; p < pieces_.size(); ++p)
    for (const Member& member : pieces_[p].members)
      offsets[at(member.buffer)] = of_joined[p] + member.offset;
  return offsets;
}

}  // namespace lowtide
