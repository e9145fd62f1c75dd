// Plans memory again and again, as a runtime with changing shapes does: spans in and out, and no
// allocation once the planner has seen a problem of the size (counted here, by a global operator
// new).
//
//   cmake -S examples/cpp -B build/example -DCMAKE_PREFIX_PATH=<where lowtide is installed>
//   cmake --build build/example && build/example/place_buffers
#include <array>
#include <cstdlib>
#include <iostream>
#include <new>
#include <span>

#include "lowtide/layout/layout_planner.h"

namespace {

int num_allocations = 0;

// A network of five layers: each activation lives until the next layer has read it, the skip from
// the first to the last. In bytes for a batch of one.
std::array<lowtide::Buffer, 5> buffers_of(lowtide::Bytes batch) {
  std::array<lowtide::Buffer, 5> buffers;
  constexpr std::array<lowtide::Bytes, 5> kSizes = {4096, 16384, 8192, 16384, 4096};
  for (std::size_t layer = 0; layer < buffers.size(); ++layer) {
    const auto step = static_cast<lowtide::Step>(layer);
    buffers[layer] = {.lifetime = {step, step + 2}, .size = batch * kSizes[layer], .alignment = 64};
  }
  buffers.front().lifetime.upper = 5;
  return buffers;
}

}  // namespace

void* operator new(std::size_t size) {
  ++num_allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

int main() {
  lowtide::LayoutPlanner planner;
  planner.reserve(5);
  std::array<lowtide::Bytes, 5> offsets = {};
  num_allocations = 0;
  lowtide::LayoutPlanner::Result result = {};
  for (lowtide::Bytes batch = 1; batch <= 1000; ++batch)
    result = planner.place(buffers_of(batch), offsets);
  const int used = num_allocations;

  std::cout << "batch 1000: " << result.height << " bytes, no layout is below "
            << result.lower_bound << '\n';
  for (const lowtide::Bytes offset : offsets) std::cout << offset << '\n';
  std::cout << used << " allocations in 1000 queries\n";
}
