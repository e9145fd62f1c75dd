#include "lowtide/layout/shapes/pair_search.h"

#include <algorithm>

namespace lowtide {
namespace {

constexpr Bytes kFar = kMaxBytes / 4;  // beyond every difference, and safe to add offsets to

std::size_t at(int i) { return static_cast<std::size_t>(i); }

bool meet(SectionRange a, SectionRange b) { return a.first <= b.last && b.first <= a.last; }

// The largest offset <= `to` that the shape may have; below 0 if there is none.
Bytes aligned_down(const Shape& shape, Bytes to) {
  if (to < shape.residue) return -1;
  return (to - shape.residue) / shape.alignment * shape.alignment + shape.residue;
}

}  // namespace

PairSearch::PairSearch(const ShapeProblem& problem)
    : problem_(problem), pieces_(make_pieces(problem)) {
  const std::size_t n = problem.shapes.size();
  pairs_of_.resize(n);
  is_awake_.assign(n, 0);
  members_.resize(at(pieces_.num_sections));
  for (BufferId b : problem.shapes.ids())
    for (const Piece& piece : pieces_.of[b])
      for (int s = piece.range.first; s <= piece.range.last; ++s)
        members_[at(s)].push_back({b, piece.lower, piece.upper});
  std::vector<std::pair<BufferId, BufferId>> together;
  for (const auto& members : members_)
    for (const Member& a : members)
      for (const Member& b : members)
        if (a.shape < b.shape) together.emplace_back(a.shape, b.shape);
  std::sort(together.begin(), together.end());
  together.erase(std::unique(together.begin(), together.end()), together.end());
  for (const auto& [a, b] : together) add_pair(a, b);
}

void PairSearch::add_pair(BufferId a, BufferId b) {
  std::vector<Choice> forbidden;  // open intervals
  for (const Piece& p : pieces_.of[a])
    for (const Piece& q : pieces_.of[b])
      if (meet(p.range, q.range)) forbidden.push_back({p.lower - q.upper, p.upper - q.lower});
  std::sort(forbidden.begin(), forbidden.end(),
            [](const Choice& x, const Choice& y) { return x.least < y.least; });
  Pair pair{.a = a, .b = b, .choices = {}};
  Bytes from = -kFar;
  for (const Choice& interval : forbidden) {
    if (from <= interval.least) pair.choices.push_back({from, interval.least});
    from = std::max(from, interval.most);
  }
  pair.choices.push_back({from, kFar});
  pair.last = static_cast<int>(pair.choices.size()) - 1;
  for (BufferId shape : {a, b}) pairs_of_[shape].push_back(static_cast<int>(pairs_.size()));
  pairs_.push_back(std::move(pair));
}

Outcome PairSearch::run(Bytes capacity, Meter* meter) {
  capacity_ = capacity;
  meter_ = meter;
  trail_.clear();
  low_.assign(problem_.shapes.size(), 0);
  high_.assign(problem_.shapes.size(), 0);
  for (Pair& pair : pairs_) {
    pair.first = 0;
    pair.last = static_cast<int>(pair.choices.size()) - 1;
  }
  for (BufferId b : problem_.shapes.ids()) {
    const Shape& shape = problem_.shapes[b];
    low_[b] = shape.fixed_offset.value_or(shape.residue);
    high_[b] = shape.takes_room()
                   ? std::min(shape.fixed_offset.value_or(kFar), capacity - shape.size)
                   : low_[b];
    if (!shape.fixed_offset) high_[b] = aligned_down(shape, high_[b]);
    if (low_[b] > high_[b]) return Outcome::kExhausted;
    wake(b);
  }
  if (search()) return Outcome::kFound;
  return meter->stopped() ? Outcome::kStopped : Outcome::kExhausted;
}

// True leaves the layout in low_; false leaves changes for the caller to undo.
bool PairSearch::search() {
  const std::size_t work = pairs_.size() / 32;
  if (meter_->spend(1 + static_cast<std::int64_t>(work)) || !propagate() || has_overload())
    return false;
  const Branch branch = worst_conflict();
  if (branch.pair < 0) return true;
  const Pair& pair = pairs_[at(branch.pair)];
  const Bytes difference = low_[pair.b] - low_[pair.a];
  const bool above_first = pair.choices[at(branch.below) + 1].least - difference <=
                           difference - pair.choices[at(branch.below)].most;
  for (const bool above : {above_first, !above_first}) {
    const std::size_t mark = trail_.size();
    if (take(branch, above)) return true;
    undo_to(mark);
    if (meter_->stopped()) return false;
  }
  return false;
}

bool PairSearch::take(const Branch& branch, bool above) {
  above ? set_first(branch.pair, branch.below + 1) : set_last(branch.pair, branch.below);
  wake(pairs_[at(branch.pair)].a);
  return search();
}

// With all offsets as low as they may be.
PairSearch::Branch PairSearch::worst_conflict() const {
  Branch worst;
  Bytes worst_rise = -1;
  for (std::size_t p = 0; p < pairs_.size(); ++p) {
    const Pair& pair = pairs_[p];
    const Bytes difference = low_[pair.b] - low_[pair.a];
    int above = pair.first;
    while (above <= pair.last && pair.choices[at(above)].most < difference) ++above;
    if (above <= pair.last && pair.choices[at(above)].least <= difference) continue;
    const int below = above - 1;  // propagation has settled a pair that is outside of its choices
    const Bytes rise = std::min(difference - pair.choices[at(below)].most,
                                pair.choices[at(above)].least - difference);
    if (rise <= worst_rise) continue;
    worst_rise = rise;
    worst = {static_cast<int>(p), below};
  }
  return worst;
}

bool PairSearch::propagate() {
  bool possible = true;
  while (possible && !awake_.empty()) {
    const BufferId shape = awake_.back();
    awake_.pop_back();
    is_awake_[shape] = 0;
    for (int p : pairs_of_[shape])
      if (!(possible = narrow(p))) break;
    // Slow climbs around a circle of choices count as work.
    if (meter_->spend(static_cast<std::int64_t>(pairs_of_[shape].size()) / 64)) possible = false;
  }
  for (BufferId shape : awake_) is_awake_[shape] = 0;
  awake_.clear();
  return possible;
}

// Between a pair's bounds and its choices.
bool PairSearch::narrow(int p) {
  const Pair& pair = pairs_[at(p)];
  const auto [a, b] = std::pair(pair.a, pair.b);
  int first = pair.first, last = pair.last;
  while (first <= last && pair.choices[at(first)].most < low_[b] - high_[a]) ++first;
  while (first <= last && pair.choices[at(last)].least > high_[b] - low_[a]) --last;
  if (first > last) return false;
  set_first(p, first);
  set_last(p, last);
  const Bytes least = pair.choices[at(first)].least, most = pair.choices[at(last)].most;
  return raise_low(b, low_[a] + least) && lower_high(b, high_[a] + most) &&
         raise_low(a, low_[b] - most) && lower_high(a, high_[b] - least);
}

bool PairSearch::raise_low(BufferId b, Bytes to) {
  if (to <= low_[b]) return true;
  if (to > high_[b]) return false;
  trail_.push_back({Change::kLow, static_cast<int>(b.index()), low_[b]});
  low_[b] = problem_.shapes[b].fixed_offset ? high_[b] : aligned(problem_.shapes[b], to);
  wake(b);
  return low_[b] <= high_[b];
}

bool PairSearch::lower_high(BufferId b, Bytes to) {
  if (to >= high_[b]) return true;
  if (to < low_[b]) return false;
  trail_.push_back({Change::kHigh, static_cast<int>(b.index()), high_[b]});
  high_[b] = problem_.shapes[b].fixed_offset ? low_[b] : aligned_down(problem_.shapes[b], to);
  wake(b);
  return low_[b] <= high_[b];
}

void PairSearch::set_first(int p, int first) {
  if (pairs_[at(p)].first == first) return;
  trail_.push_back({Change::kFirst, p, pairs_[at(p)].first});
  pairs_[at(p)].first = first;
}

void PairSearch::set_last(int p, int last) {
  if (pairs_[at(p)].last == last) return;
  trail_.push_back({Change::kLast, p, pairs_[at(p)].last});
  pairs_[at(p)].last = last;
}

bool PairSearch::has_overload() const {
  std::vector<std::pair<Bytes, Bytes>> pieces;  // lowest begin, size
  for (const auto& members : members_) {
    pieces.clear();
    Bytes highest = 0;
    for (const Member& member : members) {
      pieces.emplace_back(low_[member.shape] + member.lower, member.upper - member.lower);
      highest = std::max(highest, high_[member.shape] + member.upper);
    }
    std::sort(pieces.begin(), pieces.end());
    Bytes above = 0;
    for (std::size_t i = pieces.size(); i-- > 0;) {
      above += pieces[i].second;
      if (pieces[i].first + above > highest) return true;
    }
  }
  return false;
}

void PairSearch::wake(BufferId shape) {
  if (is_awake_[shape]) return;
  is_awake_[shape] = 1;
  awake_.push_back(shape);
}

void PairSearch::undo_to(std::size_t mark) {
  while (trail_.size() > mark) {
    const auto [change, index, old] = trail_.back();
    switch (change) {
      case Change::kLow: low_[BufferId(at(index))] = old; break;
      case Change::kHigh: high_[BufferId(at(index))] = old; break;
      case Change::kFirst: pairs_[at(index)].first = static_cast<int>(old); break;
      case Change::kLast: pairs_[at(index)].last = static_cast<int>(old); break;
    }
    trail_.pop_back();
  }
}

}  // namespace lowtide
