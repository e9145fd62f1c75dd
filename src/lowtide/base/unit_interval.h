// Random bits as a number. std::uniform_real_distribution gives other numbers with other standard
// libraries, and a seed shall mean the same plan everywhere.
#pragma once

#include <cstdint>

namespace lowtide {

// In [0, 1), of the upper 53 bits.
inline double unit_interval(std::uint64_t bits) {
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

}  // namespace lowtide
