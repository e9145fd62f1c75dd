// Byte counts: signed 64-bit, so that differences are safe, with the few operations that must not
// overflow silently.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

#include "lowtide/base/check.h"

namespace lowtide {

using Bytes = std::int64_t;
inline constexpr Bytes kMaxBytes = std::numeric_limits<Bytes>::max();

// a + b into *sum; false (and *sum untouched) if it does not fit. Both >= 0.
inline bool add_fits(Bytes a, Bytes b, Bytes* sum) { return !__builtin_add_overflow(a, b, sum); }

// The smallest multiple of `alignment` that is >= bytes; false if that does not fit.
inline bool align_up_fits(Bytes bytes, Bytes alignment, Bytes* aligned) {
  Bytes padded;
  if (!add_fits(bytes, alignment - 1, &padded)) return false;
  *aligned = padded / alignment * alignment;
  return true;
}

// As above where the caller has already checked that it fits.
inline Bytes align_up(Bytes bytes, Bytes alignment) {
  Bytes aligned = 0;
  LOWTIDE_CHECK(align_up_fits(bytes, alignment, &aligned), "aligned size overflows");
  return aligned;
}

// Negative ones as well: -1 becomes -alignment.
inline Bytes align_down(Bytes bytes, Bytes alignment) {
  return bytes - (bytes % alignment + alignment) % alignment;
}

// "12.3 MiB": for people; programs get the plain number.
std::string format_bytes(Bytes bytes);

}  // namespace lowtide
