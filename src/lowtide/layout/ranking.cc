#include "lowtide/layout/ranking.h"

#include <algorithm>
#include <array>
#include <numeric>

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

class Keys {
 public:
  explicit Keys(const Instance& instance) : instance_(instance) {}

  double value(Key key, int buffer) const {
    const auto b = static_cast<std::size_t>(buffer);
    switch (key) {
      case kLoad: return most(buffer, [&](int s) { return load(s); });
      case kCrowd: return most(buffer, [&](int s) { return crowd(s); });
      case kSections: return instance_.range[b].size();
      case kSteps: return static_cast<double>(instance_.length[b]);
      case kArea:
        return static_cast<double>(instance_.length[b]) * static_cast<double>(instance_.size[b]);
      case kSize: return static_cast<double>(instance_.size[b]);
      case kStart: return -instance_.range[b].first;
    }
    return 0;
  }

 private:
  template <class PerSection>
  double most(int buffer, const PerSection& per_section) const {
    const SectionRange range = instance_.range[static_cast<std::size_t>(buffer)];
    double highest = 0;
    for (int s = range.first; s <= range.last; ++s) highest = std::max(highest, per_section(s));
    return highest;
  }
  double load(int s) const {
    return static_cast<double>(instance_.load[static_cast<std::size_t>(s)]);
  }
  double crowd(int s) const { return static_cast<double>(instance_.members(s).size()); }

  const Instance& instance_;
};

// A factor in [1 - strength, 1 + strength).
double noise(std::uint64_t seed, double strength) {
  const double unit = static_cast<double>(mixed(seed) >> 11) * 0x1p-53;
  return 1 + strength * (2 * unit - 1);
}

}  // namespace

int num_plain_rankings() { return static_cast<int>(kRankings.size()); }

std::vector<int> ranking(const Instance& instance, int index, std::uint64_t seed) {
  constexpr std::array kStrengths = {0.1, 0.3, 0.6};
  const auto n = static_cast<std::size_t>(instance.num_buffers());
  const int round = index / num_plain_rankings();
  const auto& keys = kRankings[static_cast<std::size_t>(index % num_plain_rankings())];
  const double strength =
      round == 0 ? 0 : kStrengths[static_cast<std::size_t>(round - 1) % kStrengths.size()];
  const Keys values(instance);
  std::vector<std::array<double, 3>> of(n);
  for (std::size_t b = 0; b < n; ++b)
    for (std::size_t k = 0; k < keys.size(); ++k) {
      of[b][k] = values.value(keys[k], static_cast<int>(b));
      if (strength > 0)
        of[b][k] *=
            noise(mixed(mixed(seed) + static_cast<std::uint64_t>(index)) + 3 * b + k, strength);
    }
  std::vector<int> order(n);
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int a, int b) {
    const auto& x = of[static_cast<std::size_t>(a)];
    const auto& y = of[static_cast<std::size_t>(b)];
    return x != y ? x > y : a < b;
  });
  return order;
}

}  // namespace lowtide
