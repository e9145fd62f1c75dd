#include "lowtide/layout/search/canonical_search.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace lowtide {
namespace {

// Position of a placed buffer: above every capacity, and safe to add sizes to.
constexpr Bytes kGone = kMaxBytes / 2;

std::size_t at(int i) { return static_cast<std::size_t>(i); }

}  // namespace

CanonicalSearch::CanonicalSearch(const Instance& instance)
    : instance_(instance),
      range_(instance.range),
      size_(instance.size),
      alignment_(instance.alignment) {}

Outcome CanonicalSearch::run(const Ranking& ranking, Bytes capacity, bool propagate, Meter* meter) {
  if (instance_.max_load > capacity) return Outcome::kExhausted;
  capacity_ = capacity;
  propagate_ = propagate;
  ranking_ = &ranking;
  meter_ = meter;
  reset(ranking.order());
  const bool possible = check_touched();
  if (possible && search({0, instance_.num_buffers()}, 0)) return Outcome::kFound;
  return possible && meter->stopped() ? Outcome::kStopped : Outcome::kExhausted;
}

void CanonicalSearch::reset(const std::vector<int>& order) {
  const std::size_t n = at(instance_.num_buffers());
  const std::size_t m = at(instance_.num_sections());
  rank_.resize(n);
  where_.resize(n);
  unplaced_ = order;
  for (std::size_t i = 0; i < n; ++i)
    rank_[at(order[i])] = where_[at(order[i])] = static_cast<int>(i);
  offset_.assign(n, -1);
  position_.assign(n, 0);
  for (std::size_t b = 0; b < n; ++b) position_[b] = std::max<Bytes>(0, instance_.fixed[b]);
  earliest_ = position_;
  rest_ = instance_.load;
  crossing_.assign(m, 0);
  for (const SectionRange& range : range_)
    for (int s = range.first; s < range.last; ++s) ++crossing_[at(s)];
  witness_.resize(m);
  for (std::size_t s = 0; s < m; ++s) witness_[s] = instance_.members(static_cast<int>(s)).front();
  candidates_.clear();
  trail_.clear();
  touched_.clear();
  is_touched_.assign(m, 0);
  failed_ = 0;
  floor_ = 0;
  link_identical(order);
  touch({0, instance_.num_sections() - 1});
}

void CanonicalSearch::link_identical(const std::vector<int>& order) {
  identical_.assign(order.size(), -1);
  const auto key = [&](int b) {
    return std::tuple(range_[at(b)].first, range_[at(b)].last, size_[at(b)], alignment_[at(b)],
                      instance_.fixed[at(b)], rank_[at(b)]);
  };
  std::vector<int> sorted = order;
  std::sort(sorted.begin(), sorted.end(), [&](int a, int b) { return key(a) < key(b); });
  for (std::size_t i = 1; i < sorted.size(); ++i) {
    const int a = sorted[i - 1], b = sorted[i];
    const bool alike = range_[at(a)].first == range_[at(b)].first &&
                       range_[at(a)].last == range_[at(b)].last && size_[at(a)] == size_[at(b)] &&
                       alignment_[at(a)] == alignment_[at(b)];
    if (alike && instance_.fixed[at(a)] < 0 && instance_.fixed[at(b)] < 0) identical_[at(b)] = a;
  }
}

// Can the buffers of `group` be placed at or above last_offset? True leaves them placed; false
// leaves changes for the caller to undo.
bool CanonicalSearch::search(Group group, Bytes last_offset) {
  if (group.begin == group.end) return true;
  const std::size_t base = candidates_.size();
  collect_candidates(group, last_offset);
  const std::size_t top = candidates_.size();
  bool found = false;
  for (std::size_t i = base; i < top && !found; ++i) {
    const int buffer = candidates_[i];
    if (earliest_[at(buffer)] > position_[at(buffer)]) continue;  // by an earlier one's skip
    if (meter_->spend()) break;
    const std::size_t mark = trail_.size();
    bool hatless = false;
    found = try_candidate(buffer, group, &hatless);
    if (found) break;
    undo_to(mark);
    floor_ = last_offset;
    if (hatless || meter_->stopped() || !skip(buffer, group)) break;
  }
  candidates_.resize(base);
  return found;
}

// Onto the candidate stack: the buffers that may come next, by (position, rank).
void CanonicalSearch::collect_candidates(Group group, Bytes last_offset) {
  Bytes dominated = kGone;  // dominance: no position from here on
  int first_section = instance_.num_sections(), last_section = -1;
  for (int i = group.begin; i < group.end; ++i) {
    const std::size_t b = at(unplaced_[at(i)]);
    dominated = std::min(dominated, position_[b] + size_[b]);
    first_section = std::min(first_section, range_[b].first);
    last_section = std::max(last_section, range_[b].last);
  }
  Bytes most = 0;
  for (int s = first_section; s <= last_section; ++s) most = std::max(most, rest_[at(s)]);
  const Bytes highest = std::min(dominated - 1, capacity_ - most);
  const std::size_t base = candidates_.size();
  for (int i = group.begin; i < group.end; ++i) {
    const int b = unplaced_[at(i)];
    const Bytes position = position_[at(b)];
    if (position > highest || position < last_offset || earliest_[at(b)] > position) continue;
    if (identical_[at(b)] >= 0 && !is_placed(identical_[at(b)])) continue;
    candidates_.push_back(b);
  }
  std::sort(candidates_.begin() + static_cast<std::ptrdiff_t>(base), candidates_.end(),
            [&](int a, int b) {
              return std::pair(position_[at(a)], rank_[at(a)]) <
                     std::pair(position_[at(b)], rank_[at(b)]);
            });
}

bool CanonicalSearch::try_candidate(int buffer, Group group, bool* hatless) {
  const Bytes offset = position_[at(buffer)];
  // Swap it to the end of its group; what is left is the group of the node below.
  const int last = unplaced_[at(group.end - 1)];
  std::swap(unplaced_[at(where_[at(buffer)])], unplaced_[at(group.end - 1)]);
  std::swap(where_[at(buffer)], where_[at(last)]);
  --group.end;
  floor_ = offset;
  place(buffer, offset);
  return raise_neighbours(buffer, group, hatless) && check_touched() &&
         search_rest(buffer, group, offset);
}

void CanonicalSearch::place(int buffer, Bytes offset) {
  const std::size_t b = at(buffer);
  trail_.push_back({Change::kPosition, buffer, position_[b]});
  trail_.push_back({Change::kEarliest, buffer, earliest_[b]});
  trail_.push_back({Change::kPlaced, buffer, 0});
  offset_[b] = offset;
  position_[b] = earliest_[b] = kGone;
  for (int s = range_[b].first; s <= range_[b].last; ++s) rest_[at(s)] -= size_[b];
  for (int s = range_[b].first; s < range_[b].last; ++s) --crossing_[at(s)];
  touch(range_[b]);
}

// Lifts the positions of all that overlap the buffer just placed; false if one of them no longer
// fits.
bool CanonicalSearch::raise_neighbours(int buffer, Group group, bool* hatless) {
  const Bytes top = offset_[at(buffer)] + size_[at(buffer)];
  const SectionRange range = range_[at(buffer)];
  *hatless = true;
  bool fits = true;
  for (int i = group.begin; i < group.end; ++i) {
    const int c = unplaced_[at(i)];
    if (position_[at(c)] >= top || !overlap(range_[at(c)], range)) continue;
    *hatless = false;
    const Bytes raised = align(c, top);
    trail_.push_back({Change::kPosition, c, position_[at(c)]});
    position_[at(c)] = raised;
    const Bytes fixed = instance_.fixed[at(c)];
    fits = (fixed < 0 || raised <= fixed) && raise_earliest(c, raised);
    if (!fits) break;
  }
  return fits;
}

bool CanonicalSearch::raise_earliest(int buffer, Bytes to) {
  const std::size_t b = at(buffer);
  if (to <= earliest_[b]) return true;
  if (to + size_[b] > capacity_) return false;
  trail_.push_back({Change::kEarliest, buffer, earliest_[b]});
  touch_where_it_matters(buffer);
  earliest_[b] = to;
  return true;
}

// Before a rise of `buffer`: the sections where it is a witness, or one of the possible firsts.
void CanonicalSearch::touch_where_it_matters(int buffer) {
  const SectionRange range = range_[at(buffer)];
  const Bytes earliest = earliest_[at(buffer)];
  for (int s = range.first; s <= range.last; ++s)
    if (propagate_ ? earliest <= capacity_ - rest_[at(s)] : witness_[at(s)] == buffer)
      touch({s, s});
}

// The subtree with `buffer` at its position is exhausted.
bool CanonicalSearch::skip(int buffer, Group group) {
  if (instance_.fixed[at(buffer)] >= 0) return false;  // it can be nowhere else
  const Bytes position = position_[at(buffer)];
  Bytes support = kGone;  // the lowest top of a buffer to come that it could stand on
  for (int i = group.begin; i < group.end; ++i) {
    const int c = unplaced_[at(i)];
    if (c == buffer || !overlap(range_[at(c)], range_[at(buffer)])) continue;
    support = std::min(support, std::max(earliest_[at(c)], floor_) + size_[at(c)]);
  }
  if (support == kGone) return false;
  const bool fits = raise_earliest(buffer, align(buffer, std::max(support, position + 1)));
  return fits && check_touched();
}

bool CanonicalSearch::search_rest(int buffer, Group group, Bytes offset) {
  if (!is_cut_by(buffer)) return search(group, offset);
  std::vector<int> ranks;  // as they were above the split
  for (int i = group.begin; i < group.end; ++i) ranks.push_back(rank_[at(unplaced_[at(i)])]);
  const std::vector<int> buffers(unplaced_.begin() + group.begin, unplaced_.begin() + group.end);
  const std::vector<Group> parts = split(buffer, group);
  const bool found = std::all_of(parts.begin(), parts.end(), [&](const Group& part) {
    floor_ = offset;
    return search(part, offset);
  });
  for (std::size_t i = 0; i < buffers.size(); ++i) rank_[at(buffers[i])] = ranks[i];
  return found;
}

bool CanonicalSearch::is_cut_by(int buffer) const {
  for (int s = range_[at(buffer)].first; s < range_[at(buffer)].last; ++s)
    if (crossing_[at(s)] == 0) return true;
  return false;
}

// Cuts the group at the boundaries that no unplaced buffer crosses any more; smallest part first.
std::vector<CanonicalSearch::Group> CanonicalSearch::split(int buffer, Group group) {
  std::vector<int> cuts;
  for (int s = range_[at(buffer)].first; s < range_[at(buffer)].last; ++s)
    if (crossing_[at(s)] == 0) cuts.push_back(s);
  const auto part_of = [&](int b) {
    return std::lower_bound(cuts.begin(), cuts.end(), range_[at(b)].first) - cuts.begin();
  };
  std::sort(unplaced_.begin() + group.begin, unplaced_.begin() + group.end, [&](int a, int b) {
    return std::pair(part_of(a), rank_[at(a)]) < std::pair(part_of(b), rank_[at(b)]);
  });
  std::vector<Group> parts;
  for (int i = group.begin; i < group.end; ++i) {
    if (i == group.begin || part_of(unplaced_[at(i)]) != part_of(unplaced_[at(i - 1)]))
      parts.push_back({i, i});
    parts.back().end = i + 1;
  }
  for (const Group& part : parts) rank_anew(part);
  std::sort(parts.begin(), parts.end(), [](const Group& a, const Group& b) {
    return std::pair(a.end - a.begin, a.begin) < std::pair(b.end - b.begin, b.begin);
  });
  return parts;
}

void CanonicalSearch::rank_anew(Group group) {
  ranking_->sort(unplaced_.begin() + group.begin, unplaced_.begin() + group.end, rest_);
  for (int i = group.begin; i < group.end; ++i)
    where_[at(unplaced_[at(i)])] = rank_[at(unplaced_[at(i)])] = i;
}

void CanonicalSearch::touch(SectionRange range) {
  for (int s = range.first; s <= range.last; ++s) {
    if (is_touched_[at(s)]) continue;
    is_touched_[at(s)] = 1;
    touched_.push_back(s);
  }
}

// Applies the section rules until nothing changes; false if one of them fails. The one that failed
// last, which is likely to do so again, comes first.
bool CanonicalSearch::check_touched() {
  bool possible = !is_touched_[at(failed_)] || rest_[at(failed_)] == 0 || has_witness(failed_);
  for (std::size_t i = 0; possible && i < touched_.size(); ++i) {
    const int s = touched_[i];
    is_touched_[at(s)] = 0;
    if (rest_[at(s)] == 0) continue;
    possible = propagate_ ? firsts(s) : has_witness(s);
    if (!possible) failed_ = s;
  }
  for (int s : touched_) is_touched_[at(s)] = 0;
  touched_.clear();
  return possible;
}

bool CanonicalSearch::has_witness(int section) {
  const Bytes highest = capacity_ - rest_[at(section)];
  if (earliest_[at(witness_[at(section)])] <= highest) return true;
  for (int b : instance_.members(section)) {
    if (earliest_[at(b)] > highest) continue;
    witness_[at(section)] = b;
    return true;
  }
  return false;
}

bool CanonicalSearch::firsts(int section) {
  const Bytes highest = capacity_ - rest_[at(section)];
  if (floor_ > highest) return false;
  Bytes end = kGone;     // the lowest end of a buffer that can be first
  Bytes others = kGone;  // the lowest earliest offset of one that cannot
  int count = 0;
  for (int b : instance_.members(section)) {
    const Bytes earliest = earliest_[at(b)];
    if (earliest > highest) {
      others = std::min(others, earliest);
      continue;
    }
    ++count;
    end = std::min(end, std::max(earliest, floor_) + size_[at(b)]);
  }
  if (count == 0) return false;
  return others >= end || raise_others(section, highest, end);
}

// All that cannot be first in the section start at `end` or later.
bool CanonicalSearch::raise_others(int section, Bytes highest, Bytes end) {
  for (int b : instance_.members(section)) {
    const Bytes earliest = earliest_[at(b)];
    if (earliest <= highest || earliest >= end) continue;
    if (!raise_earliest(b, align(b, end))) return false;
  }
  return true;
}

void CanonicalSearch::undo_to(std::size_t mark) {
  while (trail_.size() > mark) {
    const Undo& undo = trail_.back();
    const std::size_t b = at(undo.buffer);
    switch (undo.change) {
      case Change::kPosition: position_[b] = undo.old; break;
      case Change::kEarliest: earliest_[b] = undo.old; break;
      case Change::kPlaced:
        offset_[b] = -1;
        for (int s = range_[b].first; s <= range_[b].last; ++s) rest_[at(s)] += size_[b];
        for (int s = range_[b].first; s < range_[b].last; ++s) ++crossing_[at(s)];
        break;
    }
    trail_.pop_back();
  }
}

}  // namespace lowtide
