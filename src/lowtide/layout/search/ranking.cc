#include "lowtide/layout/search/ranking.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include "lowtide/base/unit_interval.h"

namespace lowtide {
namespace {

// All largest first.
enum Key {
  kLoad,      // bytes of the fullest section the buffer lives in
  kCrowd,     // buffers in the most crowded one
  kSections,  // how many sections it lives in
  kSteps,     // how many steps
  kArea,      // size x steps
  kSize,
  kStart,  // earliest first
};

// Measured on MiniMalloc's instances and captured graphs (docs/layout.md): together these solve
// what each alone does not.
constexpr std::array<std::array<Key, 3>, 14> kRankings = {{
    {kLoad, kSections, kArea},
    {kSteps, kArea, kLoad},
    {kLoad, kSteps, kArea},
    {kArea, kSteps, kLoad},
    {kCrowd, kLoad, kSections},
    {kLoad, kArea, kSteps},
    {kCrowd, kStart, kSteps},
    {kSections, kLoad, kArea},
    {kStart, kLoad, kSize},
    {kCrowd, kSections, kArea},
    {kSize, kLoad, kSteps},
    {kStart, kSteps, kSize},
    {kLoad, kStart, kSize},
    {kCrowd, kStart, kSize},
}};

std::uint64_t mixed(std::uint64_t x) {  // splitmix64
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

template <class PerSection>
double most(SectionRange range, const PerSection& per_section) {
  double highest = 0;
  for (int s = range.first; s <= range.last; ++s)
    highest = std::max(highest, static_cast<double>(per_section(s)));
  return highest;
}

double value(const Instance& instance, const std::vector<Bytes>& load, Key key, std::size_t b) {
  const SectionRange range = instance.range[b];
  switch (key) {
    case kLoad: return most(range, [&](int s) { return load[static_cast<std::size_t>(s)]; });
    case kCrowd: return most(range, [&](int s) { return instance.members(s).size(); });
    case kSections: return range.size();
    case kSteps: return static_cast<double>(instance.length[b]);
    case kArea:
      return static_cast<double>(instance.length[b]) * static_cast<double>(instance.size[b]);
    case kSize: return static_cast<double>(instance.size[b]);
    case kStart: return -range.first;
  }
  return 0;
}

// A factor in [1 - strength, 1 + strength).
double noise(std::uint64_t seed, double strength) {
  const double unit = unit_interval(mixed(seed));
  return 1 + strength * (2 * unit - 1);
}

double strength_of(int round) {
  constexpr std::array kStrengths = {0.1, 0.3, 0.6};
  return round == 0 ? 0 : kStrengths[static_cast<std::size_t>(round - 1) % kStrengths.size()];
}

}  // namespace

int Ranking::num_plain() { return static_cast<int>(kRankings.size()); }

Ranking::Ranking(const Instance& instance, int index, std::uint64_t seed)
    : instance_(instance),
      row_(static_cast<std::size_t>(index % num_plain())),
      noise_seed_(mixed(mixed(seed) + static_cast<std::uint64_t>(index))),
      noise_(strength_of(index / num_plain())) {}

Ranking::Keys Ranking::keys_of(int buffer, const std::vector<Bytes>& load) const {
  const auto b = static_cast<std::size_t>(buffer);
  Keys keys;
  for (std::size_t k = 0; k < keys.size(); ++k) {
    keys[k] = value(instance_, load, kRankings[row_][k], b);
    if (noise_ > 0) keys[k] *= noise(noise_seed_ + 3 * b + k, noise_);
  }
  return keys;
}

void Ranking::sort(std::vector<int>::iterator begin, std::vector<int>::iterator end,
                   const std::vector<Bytes>& load) const {
  std::vector<std::pair<Keys, int>> keyed;
  for (auto b = begin; b != end; ++b) keyed.emplace_back(keys_of(*b, load), *b);
  std::stable_sort(keyed.begin(), keyed.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  for (const auto& [keys, b] : keyed) *begin++ = b;
}

std::vector<int> Ranking::order() const {
  std::vector<int> order(static_cast<std::size_t>(instance_.num_buffers()));
  std::iota(order.begin(), order.end(), 0);
  sort(order.begin(), order.end(), instance_.load);
  return order;
}

}  // namespace lowtide
