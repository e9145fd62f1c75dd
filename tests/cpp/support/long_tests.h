// How many random cases a property test tries: few by default, many with LOWTIDE_LONG_TESTS=1.
#pragma once

#include <cstdint>
#include <cstdlib>

namespace lowtide::testing {

inline bool long_tests() {
  const char* value = std::getenv("LOWTIDE_LONG_TESTS");
  return value != nullptr && value[0] == '1';
}
inline std::uint64_t cases(std::uint64_t few, std::uint64_t many) {
  return long_tests() ? many : few;
}

}  // namespace lowtide::testing
