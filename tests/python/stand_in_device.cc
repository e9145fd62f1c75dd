// A device that there is not: streams are numbers, its memory is the host's. It shows what a
// device's allocator makes of sessions, streams, pools, captures and exhaustion where there is no
// device.

#include <cstdlib>
#include <new>
#include <vector>

#include "device.h"

namespace {

Place g_now{0, 0};
bool g_capturing = false, g_exhausted = false;
std::vector<std::uintptr_t> g_waits,
    g_told;  // streams waited for; streams that the base was told of

void* base_allocate(std::size_t bytes) {
  if (g_exhausted) throw std::bad_alloc();
  return std::aligned_alloc(512, (bytes + 511) / 512 * 512);
}
void base_release(void* p) { std::free(p); }
Place place_now() { return g_now; }
bool is_capturing() { return g_capturing; }
void wait_for(const Place&, std::uintptr_t stream) { g_waits.push_back(stream); }

}  // namespace

extern "C" {

const char* lowtide_install() { return nullptr; }

void device_now(int device, std::int64_t stream) {
  g_now = {device, static_cast<std::uintptr_t>(stream)};
}
void device_capture(int on) { g_capturing = on != 0; }
void device_exhausted(int on) { g_exhausted = on != 0; }
void device_pool(int on) { g_pools += on != 0 ? 1 : -1; }

// As cuda.cc does: what no session serves comes from the base.
void* device_allocate(std::int64_t bytes) {
  void* p = serve(static_cast<std::size_t>(bytes));
  return p != nullptr ? p : base_allocate(static_cast<std::size_t>(bytes));
}
void device_release(void* p) { release_on_device(p); }
void device_record_stream(void* p, std::int64_t stream) {
  if (!record_stream(p, static_cast<std::uintptr_t>(stream)))
    g_told.push_back(static_cast<std::uintptr_t>(stream));
}
std::int64_t device_waits() { return static_cast<std::int64_t>(g_waits.size()); }
std::int64_t device_told() { return static_cast<std::int64_t>(g_told.size()); }

}  // extern "C"
