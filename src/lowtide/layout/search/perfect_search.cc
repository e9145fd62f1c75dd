#include "lowtide/layout/search/perfect_search.h"

#include <algorithm>
#include <limits>

#include "lowtide/base/check.h"

namespace lowtide {
namespace {

// Beyond that many buffers on a side of a boundary their subset sums are too many.
constexpr int kMaxSummed = 10;

std::size_t at(int i) { return static_cast<std::size_t>(i); }

std::uint64_t bit(int index) { return std::uint64_t{1} << std::min(index, 63); }

}  // namespace

bool PerfectSearch::applies(const Instance& instance, Bytes capacity) {
  return std::all_of(instance.load.begin(), instance.load.end(),
                     [&](Bytes load) { return load == capacity; });
}

PerfectSearch::PerfectSearch(const Instance& instance)
    : instance_(instance),
      starters_(at(instance.num_sections())),
      enders_(at(instance.num_sections())) {
  for (int b = 0; b < instance.num_buffers(); ++b) {
    std::vector<int>& starters = starters_[at(instance.range[at(b)].first)];
    std::vector<int>& enders = enders_[at(instance.range[at(b)].last)];
    start_index_.push_back(static_cast<int>(starters.size()));
    end_index_.push_back(static_cast<int>(enders.size()));
    starters.push_back(b);
    enders.push_back(b);
  }
}

Outcome PerfectSearch::run(const Ranking& ranking, Meter* meter) {
  LOWTIDE_CHECK(applies(instance_, instance_.max_load), "a section with bytes to spare");
  meter_ = meter;
  reset(ranking);
  if (search()) return Outcome::kFound;
  return meter->stopped() ? Outcome::kStopped : Outcome::kExhausted;
}

void PerfectSearch::reset(const Ranking& ranking) {
  const std::size_t m = at(instance_.num_sections());
  num_unplaced_ = instance_.num_buffers();
  rank_.resize(at(num_unplaced_));
  int rank = 0;
  for (int b : ranking.order()) rank_[at(b)] = rank++;
  offset_.assign(at(num_unplaced_), -1);
  floor_.assign(m, 0);
  crossing_.assign(m + 1, 0);
  for (const SectionRange& range : instance_.range)
    for (int x = range.first + 1; x <= range.last; ++x) ++crossing_[at(x)];
  wall_.assign(m + 1, {});
  weight_.assign(m, 1);
  cover_.assign(m + 1, 0);
  candidates_.clear();
  trail_.clear();
}

bool PerfectSearch::search() {
  if (num_unplaced_ == 0) return true;
  if (meter_->spend()) return false;
  End end;
  if (!choose_end(&end)) return false;
  const std::size_t base = candidates_.size();
  collect_candidates(end);
  const std::size_t top = candidates_.size();
  bool found = false;
  for (std::size_t i = base; i < top && !meter_->stopped(); ++i) {
    if (is_like_an_earlier(base, i)) continue;
    const std::size_t mark = trail_.size();
    place(candidates_[i]);
    found = search();
    if (found) break;
    undo_to(mark);
  }
  if (!found) ++weight_[at(end.is_left ? end.pocket.first : end.pocket.last)];
  candidates_.resize(base);
  return found;
}

// The cheapest end to branch on; false if some pocket cannot be filled.
bool PerfectSearch::choose_end(End* best) {
  best->cost = std::numeric_limits<double>::infinity();
  for (int first = 0; first < instance_.num_sections();) {
    const Pocket pocket{first, last_of_pocket(first)};
    if (floor_[at(first)] < instance_.max_load && !consider(pocket, best)) return false;
    first = pocket.last + 1;
  }
  return true;
}

int PerfectSearch::last_of_pocket(int first) const {
  int last = first;
  while (last + 1 < instance_.num_sections() && floor_[at(last + 1)] == floor_[at(first)] &&
         crossing_[at(last + 1)] > 0)
    ++last;
  return last;
}

bool PerfectSearch::consider(Pocket pocket, End* best) {
  const Bytes height = std::min(left_wall(pocket), right_wall(pocket));
  if (height == 0) return true;  // something may come from outside
  for (const bool is_left : {true, false}) {
    int count = 0;
    visit_candidates(pocket, is_left, [&](int) { ++count; });
    double& weight = weight_[at(is_left ? pocket.first : pocket.last)];
    if (count == 0) {
      ++weight;
      return false;
    }
    const double cost = count == 1 ? 0 : count / weight;
    if (cost < best->cost) *best = {pocket, is_left, cost};
  }
  const bool covered = is_covered(pocket, height);
  if (!covered) ++weight_[at(pocket.first)];
  return covered;
}

// Bytes above the floor below which nothing leaves the pocket to the left.
Bytes PerfectSearch::left_wall(Pocket pocket) const {
  if (crossing_[at(pocket.first)] == 0) return instance_.max_load - floor_[at(pocket.first)];
  return wall_[at(pocket.first)].right.bytes;
}

Bytes PerfectSearch::right_wall(Pocket pocket) const {
  if (crossing_[at(pocket.last + 1)] == 0) return instance_.max_load - floor_[at(pocket.last)];
  return wall_[at(pocket.last + 1)].left.bytes;
}

// Do unplaced buffers within the pocket have `height` bytes in each of its sections?
bool PerfectSearch::is_covered(Pocket pocket, Bytes height) {
  const auto begin = cover_.begin() + pocket.first;
  std::fill(begin, cover_.begin() + pocket.last + 2, 0);
  for (int s = pocket.first; s <= pocket.last; ++s)
    for (int b : starters_[at(s)]) {
      if (is_placed(b) || instance_.range[at(b)].last > pocket.last) continue;
      cover_[at(s)] += instance_.size[at(b)];
      cover_[at(instance_.range[at(b)].last + 1)] -= instance_.size[at(b)];
    }
  Bytes covered = 0;
  return std::all_of(begin, cover_.begin() + pocket.last + 1,
                     [&](Bytes change) { return (covered += change) >= height; });
}

// The buffers that can stand on the floor at that end of the pocket.
template <class Visit>
void PerfectSearch::visit_candidates(Pocket pocket, bool is_left, const Visit& visit) const {
  const Bytes offset = floor_[at(pocket.first)];
  for (int b : is_left ? starters_[at(pocket.first)] : enders_[at(pocket.last)]) {
    const SectionRange range = instance_.range[at(b)];
    if (is_placed(b) || range.first < pocket.first || range.last > pocket.last) continue;
    if (may_start_at(b, offset)) visit(b);
  }
}

bool PerfectSearch::may_start_at(int buffer, Bytes offset) const {
  const Bytes fixed = instance_.fixed[at(buffer)];
  return fixed >= 0 ? offset == fixed : offset % instance_.alignment[at(buffer)] == 0;
}

void PerfectSearch::collect_candidates(const End& end) {
  const std::size_t base = candidates_.size();
  visit_candidates(end.pocket, end.is_left, [&](int b) { candidates_.push_back(b); });
  const auto key = [&](int b) { return std::pair(-preference(b, end.pocket), rank_[at(b)]); };
  std::sort(candidates_.begin() + static_cast<std::ptrdiff_t>(base), candidates_.end(),
            [&](int a, int b) { return key(a) < key(b); });
}

// For each end of the pocket where it stands: is it part of what makes the sides level soonest?
int PerfectSearch::preference(int buffer, Pocket pocket) const {
  const auto judged = [](std::uint64_t members, int index) {
    if (members == 0) return 0;
    return (members & bit(index)) != 0 ? 1 : -1;
  };
  const SectionRange range = instance_.range[at(buffer)];
  int sum = 0;
  if (range.first == pocket.first)
    sum += judged(wall_[at(pocket.first)].right.members, start_index_[at(buffer)]);
  if (range.last == pocket.last)
    sum += judged(wall_[at(pocket.last + 1)].left.members, end_index_[at(buffer)]);
  return sum;
}

// Of buffers that differ in nothing one is enough. (Those with a fixed offset can't be alike, for
// they would collide.)
bool PerfectSearch::is_like_an_earlier(std::size_t base, std::size_t i) const {
  const std::size_t b = at(candidates_[i]);
  return std::any_of(candidates_.begin() + static_cast<std::ptrdiff_t>(base),
                     candidates_.begin() + static_cast<std::ptrdiff_t>(i), [&](int other) {
                       const std::size_t a = at(other);
                       return instance_.range[a].first == instance_.range[b].first &&
                              instance_.range[a].last == instance_.range[b].last &&
                              instance_.size[a] == instance_.size[b] &&
                              instance_.alignment[a] == instance_.alignment[b] &&
                              instance_.fixed[a] == instance_.fixed[b];
                     });
}

void PerfectSearch::place(int buffer) {
  const SectionRange range = instance_.range[at(buffer)];
  trail_.push_back({-1, buffer, {}});
  offset_[at(buffer)] = floor_[at(range.first)];
  --num_unplaced_;
  for (int s = range.first; s <= range.last; ++s) floor_[at(s)] += instance_.size[at(buffer)];
  for (int x = range.first + 1; x <= range.last; ++x) --crossing_[at(x)];
  set_wall(range.first);
  set_wall(range.last + 1);
}

void PerfectSearch::set_wall(int boundary) {
  if (crossing_[at(boundary)] == 0) return;  // nothing ever crosses it again
  trail_.push_back({boundary, -1, wall_[at(boundary)]});
  wall_[at(boundary)] = wall_at(boundary);
}

// The smallest sums that bring both sides level. Both sections are full in the end, so all enders
// and all starters do.
PerfectSearch::Wall PerfectSearch::wall_at(int boundary) {
  const Bytes lead = floor_[at(boundary)] - floor_[at(boundary - 1)];  // of the right side
  const auto unplaced = [&](const std::vector<int>& buffers) {
    return std::count_if(buffers.begin(), buffers.end(), [&](int b) { return !is_placed(b); });
  };
  if (lead == 0) return {};
  const std::vector<int>& enders = enders_[at(boundary - 1)];
  const std::vector<int>& starters = starters_[at(boundary)];
  if (unplaced(enders) > kMaxSummed || unplaced(starters) > kMaxSummed)
    return {.left = {std::max<Bytes>(0, lead)}, .right = {std::max<Bytes>(0, -lead)}};
  subset_sums(enders, &left_sums_);
  subset_sums(starters, &right_sums_);
  auto left = left_sums_.begin();
  auto right = right_sums_.begin();
  while (left->bytes != right->bytes + lead) {
    ++(left->bytes < right->bytes + lead ? left : right);
    LOWTIDE_CHECK(left != left_sums_.end() && right != right_sums_.end(), "unequal loads");
  }
  return {*left, *right};
}

// All sums over the unplaced of `buffers`, ascending.
void PerfectSearch::subset_sums(const std::vector<int>& buffers, std::vector<Sum>* sums) {
  sums->assign(1, {});
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    if (is_placed(buffers[i])) continue;
    merged_.clear();
    std::size_t without = 0;
    for (const Sum& sum : *sums) {
      const Sum with{sum.bytes + instance_.size[at(buffers[i])],
                     sum.members | bit(static_cast<int>(i))};
      while (without < sums->size() && (*sums)[without].bytes <= with.bytes)
        merged_.push_back((*sums)[without++]);
      merged_.push_back(with);
    }
    sums->swap(merged_);
  }
}

void PerfectSearch::undo_to(std::size_t mark) {
  for (; trail_.size() > mark; trail_.pop_back()) {
    const Undo& undo = trail_.back();
    if (undo.boundary >= 0) {
      wall_[at(undo.boundary)] = undo.wall;
      continue;
    }
    const SectionRange range = instance_.range[at(undo.buffer)];
    offset_[at(undo.buffer)] = -1;
    ++num_unplaced_;
    for (int s = range.first; s <= range.last; ++s)
      floor_[at(s)] -= instance_.size[at(undo.buffer)];
    for (int x = range.first + 1; x <= range.last; ++x) ++crossing_[at(x)];
  }
}

}  // namespace lowtide
