// Sizes as people write them on a command line.
#pragma once

#include <string>

#include "lowtide/base/bytes.h"

namespace lowtide::cli {

// "123", "1.5GiB", "800 MB", "64k": KiB, MiB, GiB, TiB are powers of 1024, KB, MB, GB, TB of 1000;
// a letter alone (k, M, G, T) means the power of 1024. Fractions are rounded down to a byte. Throws
// InputError naming `option`.
Bytes parse_size(const std::string& text, const std::string& option);

}  // namespace lowtide::cli
