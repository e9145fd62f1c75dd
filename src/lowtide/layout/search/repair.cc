#include "lowtide/layout/search/repair.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace lowtide {
namespace {

// A move takes out 2, 3, 5, 9 or 17 buffers: many cheap moves and some that see more.
constexpr std::size_t kDoublings = 5;

std::ptrdiff_t step(std::size_t i) { return static_cast<std::ptrdiff_t>(i); }

int outside(SectionRange range, SectionRange of) {
  return std::max(0, of.first - range.first) + std::max(0, range.last - of.last);
}

Bytes aligned_up(Bytes offset, Bytes alignment) {
  return alignment == 1 ? offset : align_up(offset, alignment);
}

}  // namespace

Repair::Repair(const Instance& instance, Style style, std::uint64_t seed)
    : instance_(instance), style_(style), random_(seed) {}

void Repair::start(const std::vector<Bytes>& offsets) {
  pile_.clear();
  for (std::size_t b = 0; b < offsets.size(); ++b)
    pile_.push_back(
        {offsets[b], offsets[b] + instance_.size[b], instance_.range[b], static_cast<int>(b)});
  std::stable_sort(pile_.begin(), pile_.end(),
                   [](const Placed& a, const Placed& b) { return a.begin < b.begin; });
}

std::vector<Bytes> Repair::offsets() const {
  std::vector<Bytes> offsets(pile_.size());
  for (const Placed& placed : pile_)
    offsets[static_cast<std::size_t>(placed.buffer)] = placed.begin;
  return offsets;
}

bool Repair::run(Bytes capacity, Meter* meter) {
  capacity_ = capacity;
  find_above();
  for (std::int64_t move = 0; !above_.empty(); ++move) {
    ruin(centre(move), style_ == Style::kSummit ? Nearness::kHigh : any(Nearness::kAny));
    if (recreate(any(Order::kAny), any(Gap::kEither)))
      find_above();
    else
      pile_.swap(saved_);
    if (meter->spend(static_cast<std::int64_t>(1 + out_.size()))) break;
  }
  return above_.empty();
}

void Repair::find_above() {
  above_.clear();
  for (std::size_t i = 0; i < pile_.size(); ++i)
    if (pile_[i].end > capacity_) above_.push_back(i);
}

std::size_t Repair::centre(std::int64_t move) {
  return move % 2 == 0 ? above_[below(above_.size())] : below(pile_.size());
}

// Takes out the buffer at `centre` and the nearest of its neighbours, which are never fixed.
void Repair::ruin(std::size_t centre, Nearness nearness) {
  const std::size_t count = 1 + (std::size_t{1} << below(kDoublings));
  chosen_.clear();
  for (std::size_t i = 0; i < pile_.size(); ++i) {
    if (!overlap(pile_[i].range, pile_[centre].range)) continue;
    if (instance_.fixed[static_cast<std::size_t>(pile_[i].buffer)] >= 0) continue;
    const double far =
        i == centre ? -static_cast<double>(kMaxBytes) : distance(pile_[centre], pile_[i], nearness);
    chosen_.emplace_back(far, i);
  }
  if (chosen_.size() > count) {
    std::nth_element(chosen_.begin(), chosen_.begin() + step(count), chosen_.end());
    chosen_.resize(count);
  }
  take_out();
}

double Repair::distance(const Placed& from, const Placed& to, Nearness nearness) {
  const double noise = 0.5 + unit();
  const auto middle = [](const Placed& placed) {
    return static_cast<double>(placed.begin + placed.end) / 2;
  };
  switch (nearness) {
    case Nearness::kWithin: return noise * outside(to.range, from.range);
    case Nearness::kShort: return noise * to.range.size();
    case Nearness::kLevel: return noise * std::abs(middle(to) - middle(from));
    case Nearness::kHigh: return -(3 + noise) * static_cast<double>(to.end);
    case Nearness::kAny: return noise;
  }
  return 0;
}

void Repair::take_out() {
  std::sort(chosen_.begin(), chosen_.end(),
            [](const auto& a, const auto& b) { return a.second < b.second; });
  saved_ = pile_;
  out_.clear();
  pile_.clear();
  std::size_t from = 0;
  for (const auto& [far, i] : chosen_) {
    pile_.insert(pile_.end(), saved_.begin() + step(from), saved_.begin() + step(i));
    out_.push_back(saved_[i]);
    from = i + 1;
  }
  pile_.insert(pile_.end(), saved_.begin() + step(from), saved_.end());
}

// False, with the pile unusable, where it would be further above the capacity than before.
bool Repair::recreate(Order order, Gap gap) {
  Bytes allowed = 0;
  queue_.clear();
  for (const Placed& placed : out_) {
    allowed += excess(placed.begin, placed.end);
    queue_.emplace_back(priority(placed, order), placed.buffer);
  }
  std::sort(queue_.begin(), queue_.end());
  for (const auto& [key, buffer] : queue_) {
    const bool is_low = gap == Gap::kEither && below(2) == 0;
    const Bytes offset = find(buffer, is_low ? Gap::kLowest : gap);
    allowed -= excess(offset, offset + instance_.size[static_cast<std::size_t>(buffer)]);
    if (allowed < 0) return false;
    place(buffer, offset);
  }
  return true;
}

// The least goes back first.
double Repair::priority(const Placed& placed, Order order) {
  const double noise = 0.7 + 0.6 * unit();
  const auto size = static_cast<double>(placed.end - placed.begin);
  switch (order) {
    case Order::kOffset: {
      const double sooner = placed.end > capacity_ ? unit() : 1;
      return noise * sooner * static_cast<double>(placed.begin + 1);
    }
    case Order::kLifetime: return -noise * placed.range.size();
    case Order::kSize: return -noise * size;
    case Order::kArea: return -noise * size * placed.range.size();
    case Order::kAny: return noise;
  }
  return 0;
}

// Where the buffer goes; above all its neighbours where no gap holds it.
Bytes Repair::find(int buffer, Gap gap) const {
  const auto b = static_cast<std::size_t>(buffer);
  const SectionRange range = instance_.range[b];
  const Bytes size = instance_.size[b], alignment = instance_.alignment[b];
  Bytes top = 0, best = -1, least_left = kMaxBytes;
  for (const Placed& placed : pile_) {
    // Which ones overlap can't be foreseen, but few leave a gap: without branches on the former
    // this is three times as fast.
    const bool is_neighbour = overlap(placed.range, range);
    if (is_neighbour & (placed.begin - top >= size)) {
      const Bytes offset = aligned_up(top, alignment);
      const Bytes left = placed.begin - offset - size;
      if (left >= 0 && gap == Gap::kLowest) return offset;
      if (left >= 0 && gap == Gap::kHighest) best = align_down(placed.begin - size, alignment);
      if (left >= 0 && gap != Gap::kHighest && left < least_left) {
        least_left = left;
        best = offset;
      }
    }
    top = std::max(top, is_neighbour ? placed.end : 0);
  }
  const Bytes offset = aligned_up(top, alignment);
  if (gap == Gap::kHighest && offset + size <= capacity_)
    return align_down(capacity_ - size, alignment);
  return best >= 0 ? best : offset;
}

void Repair::place(int buffer, Bytes offset) {
  const auto b = static_cast<std::size_t>(buffer);
  const auto above =
      std::upper_bound(pile_.begin(), pile_.end(), offset,
                       [](Bytes begin, const Placed& placed) { return begin < placed.begin; });
  pile_.insert(above, {offset, offset + instance_.size[b], instance_.range[b], buffer});
}

// The bytes above the capacity.
Bytes Repair::excess(Bytes begin, Bytes end) const {
  return std::max<Bytes>(0, end - std::max(begin, capacity_));
}

}  // namespace lowtide
