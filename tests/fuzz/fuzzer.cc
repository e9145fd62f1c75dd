// A libFuzzer for the target LOWTIDE_FUZZ_TARGET (a function of targets.h).
#include <cstddef>
#include <cstdint>

#include "fuzz/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  lowtide::fuzz::LOWTIDE_FUZZ_TARGET({reinterpret_cast<const char*>(data), size});
  return 0;
}
