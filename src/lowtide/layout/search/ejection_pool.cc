#include "lowtide/layout/search/ejection_pool.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lowtide {
namespace {

constexpr std::int64_t kNeverPutOut = std::int64_t{1} << 52;
// Weights: at first ten times the base, three more for every failure.
constexpr std::int64_t kAtFirst = 10;
constexpr std::int64_t kFailure = 3;
constexpr int kMovesBetween = 2;

// Large and long-lived buffers are hard to place; the root keeps small ones from counting nothing.
std::int64_t base_weight(Bytes size, int sections) {
  constexpr double kScale = 16;
  return std::llround(kScale * std::sqrt(static_cast<double>(size) * sections));
}

}  // namespace

EjectionPool::EjectionPool(const Instance& instance, std::uint64_t seed)
    : instance_(instance), random_(seed), floor_(instance.num_sections()) {
  for (int buffer = 0; buffer < instance.num_buffers(); ++buffer) {
    const Placed its = pile_member(buffer);
    base_.push_back(base_weight(its.size, its.range.size()));
    weight_.push_back(is_fixed(buffer) ? kNeverPutOut : kAtFirst * base_.back());
    if (is_fixed(buffer))
      pile_.push_back(its);
    else
      waiting_.push_back(buffer);
  }
  std::stable_sort(pile_.begin(), pile_.end(), [&](const Placed& a, const Placed& b) {
    return lowest_on(0, a.buffer) < lowest_on(0, b.buffer);
  });
}

EjectionPool::Placed EjectionPool::pile_member(int buffer) const {
  const auto b = static_cast<std::size_t>(buffer);
  return {instance_.range[b], instance_.size[b], 0, 0, buffer};
}

std::vector<Bytes> EjectionPool::offsets() const {
  std::vector<Bytes> offsets(pile_.size());
  for (const Placed& placed : pile_)
    offsets[static_cast<std::size_t>(placed.buffer)] = placed.lowest;
  return offsets;
}

bool EjectionPool::run(Bytes capacity, Meter* meter) {
  capacity_ = capacity;
  put_out_what_sticks_out();
  while (!waiting_.empty() && !meter->stopped()) place_next(meter);
  return waiting_.empty();
}

// The lowest offsets, from the bottom up, and the highest, from the top down.
void EjectionPool::settle() {
  floor_.clear();
  for (Placed& placed : pile_)
    floor_.put(placed.range, [&](Bytes floor) {
      placed.lowest = lowest_on(floor, placed.buffer);
      return placed.lowest + placed.size;
    });
  floor_.clear();
  for (auto placed = pile_.rbegin(); placed != pile_.rend(); ++placed)
    floor_.put(placed->range, [&](Bytes depth) {
      placed->highest = highest_below(capacity_ - depth - placed->size, placed->buffer);
      return capacity_ - placed->highest;
    });
}

Bytes EjectionPool::lowest_on(Bytes floor, int buffer) const {
  if (is_fixed(buffer)) return instance_.fixed[static_cast<std::size_t>(buffer)];
  return instance_.has_alignment
             ? align_up(floor, instance_.alignment[static_cast<std::size_t>(buffer)])
             : floor;
}

Bytes EjectionPool::highest_below(Bytes offset, int buffer) const {
  if (is_fixed(buffer)) return instance_.fixed[static_cast<std::size_t>(buffer)];
  return instance_.has_alignment
             ? align_down(offset, instance_.alignment[static_cast<std::size_t>(buffer)])
             : offset;
}

// One or a few at a time: a whole pile sticks out by as much as its top, and fits when one is gone.
void EjectionPool::put_out_what_sticks_out() {
  constexpr std::size_t kOfMany = 64;
  for (;;) {
    settle();
    std::vector<std::size_t> sticking_out;
    for (std::size_t i = 0; i < pile_.size(); ++i)
      if (pile_[i].lowest > pile_[i].highest) sticking_out.push_back(i);
    if (sticking_out.empty()) return;
    for (std::size_t left = sticking_out.size(), out = 1 + left / kOfMany; out > 0; --left)
      if (below(left) < out) {
        put_out(sticking_out[left - 1]);
        --out;
      }
  }
}

void EjectionPool::put_out(std::size_t i) {
  waiting_.push_back(pile_[i].buffer);
  pile_.erase(pile_.begin() + static_cast<std::ptrdiff_t>(i));
}

void EjectionPool::place_next(Meter* meter) {
  std::swap(waiting_[below(waiting_.size())], waiting_.back());
  const int buffer = waiting_.back();
  const Place place = best_place(buffer);
  meter->spend(steps_a_placement());
  const auto b = static_cast<std::size_t>(buffer);
  if (place.weight > 0) weight_[b] = std::min(weight_[b] + kFailure * base_[b], kNeverPutOut / 2);
  if (place.weight >= kNeverPutOut) return;  // a fixed buffer is in the way everywhere
  waiting_.pop_back();
  insert(buffer, place.offset);
  for (int move = 0; place.weight > 0 && move < kMovesBetween; ++move) move_any(meter);
}

// To any of the places that are free for it; the one it had is one of them.
void EjectionPool::move_any(Meter* meter) {
  const std::size_t i = below(pile_.size());
  const int buffer = pile_[i].buffer;
  if (is_fixed(buffer)) return;
  pile_.erase(pile_.begin() + static_cast<std::ptrdiff_t>(i));
  settle();
  insert(buffer, best_place(buffer).offset);
  meter->spend(steps_a_placement());
}

// Where what is in the way weighs least; of several such places any, by their lengths.
EjectionPool::Place EjectionPool::best_place(int buffer) {
  const auto b = static_cast<std::size_t>(buffer);
  const Bytes highest = capacity_ - instance_.size[b];
  list_changes(buffer, highest);
  Place best{.weight = std::numeric_limits<Weight>::max()};
  Bytes length = 0;
  Weight weight = 0;
  for (std::size_t i = 0; i + 1 < changes_.size(); ++i) {
    weight += changes_[i].by;
    const Bytes offset = lowest_on(changes_[i].at, buffer);
    if (offset >= changes_[i + 1].at || weight > best.weight) continue;
    if (weight < best.weight) length = 0;
    const Bytes longer = changes_[i + 1].at - offset;
    length += longer;
    if (weight == best.weight &&
        below(static_cast<std::size_t>(length)) >= static_cast<std::size_t>(longer))
      continue;
    best = {offset, weight};
  }
  return best;
}

// In order of offset, from 0 to one beyond `highest`.
void EjectionPool::list_changes(int buffer, Bytes highest) {
  const Placed its = pile_member(buffer);
  changes_.clear();
  changes_.push_back({0, 0});
  changes_.push_back({highest + 1, 0});
  for (const Placed& placed : pile_) {
    const Bytes begin = std::max<Bytes>(placed.highest - its.size + 1, 0);
    const Bytes end = std::min(placed.lowest + placed.size, highest + 1);
    if (!overlap(placed.range, its.range) | (begin >= end)) continue;
    const Weight weight = weight_[static_cast<std::size_t>(placed.buffer)];
    changes_.push_back({begin, weight});
    changes_.push_back({end, -weight});
  }
  std::sort(changes_.begin(), changes_.end(),
            [](const Change& a, const Change& b) { return a.at < b.at; });
}

// Puts out what is in the way, and the buffer between what can be above it and the rest.
void EjectionPool::insert(int buffer, Bytes offset) {
  const Placed its = pile_member(buffer);
  const Bytes end = offset + its.size;
  above_.clear();
  std::size_t kept = 0;
  for (const Placed& placed : pile_) {
    if (placed.highest >= end)
      above_.push_back(placed);
    else if (overlap(placed.range, its.range) && placed.lowest + placed.size > offset)
      waiting_.push_back(placed.buffer);
    else
      pile_[kept++] = placed;
  }
  pile_.resize(kept);
  pile_.push_back(its);
  pile_.insert(pile_.end(), above_.begin(), above_.end());
  settle();
}

}  // namespace lowtide
