// The CPU's allocator, recorded and replayed (see core.h): a thread's session serves its requests.
//
// Only <c10/core/CPUAllocator.h> is included: this builds in two seconds, where torch/extension.h
// takes a minute.

#include <c10/core/CPUAllocator.h>

#include "core.h"

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#include <sys/mman.h>
#define LOWTIDE_HAS_MMAP 1
#endif

namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;

c10::Allocator* g_base = nullptr;  // who served before us, and still serves what we do not
c10::DeleterFnPtr g_release_base = nullptr;
thread_local std::int64_t t_session = 0;  // its id, which another thread may have ended; 0: none

void* base_allocate(std::size_t bytes) { return g_base->raw_allocate(bytes); }
void base_release(void* p) { g_release_base(p); }
bool may_open() {
  Lock lock(mutex());
  return find_session(t_session) == nullptr;
}
bool may_replay_in(const Arena&) { return true; }
void entered(Session* session) { t_session = session->id; }
void left(Session* session) {
  if (t_session == session->id) t_session = 0;
}
bool is_own_release(const Session& session) { return session.id == t_session; }

// Pages are committed when first touched.
struct MappedMemory final : Memory {
  explicit MappedMemory(std::size_t size) {
    bytes = size;
#ifdef LOWTIDE_HAS_MMAP
    mapped_bytes_ = size + kHugePage;
    void* p =
        mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return;
    mapped_ = p;
    const auto address = reinterpret_cast<std::uintptr_t>(p);
    begin = (address + kHugePage - 1) / kHugePage * kHugePage;
#ifdef MADV_HUGEPAGE
    // Only whole huge pages: the tail of the arena must not round the memory in use up by 2 MiB.
    if (size >= kHugePage)
      madvise(reinterpret_cast<void*>(begin), size / kHugePage * kHugePage, MADV_HUGEPAGE);
#endif
#else
    mapped_ = g_base->raw_allocate(size);
    begin = reinterpret_cast<std::uintptr_t>(mapped_);
#endif
  }
  MappedMemory(const MappedMemory&) = delete;
  MappedMemory& operator=(const MappedMemory&) = delete;
  ~MappedMemory() override {
    if (mapped_ == nullptr) return;
#ifdef LOWTIDE_HAS_MMAP
    munmap(mapped_, mapped_bytes_);
#else
    g_release_base(mapped_);
#endif
  }

 private:
  std::size_t mapped_bytes_ = 0;
  void* mapped_ = nullptr;
};

struct PlannedAllocator final : c10::Allocator {
  c10::DataPtr allocate(std::size_t bytes) override {
    void* p = bytes == 0 ? nullptr : serve(bytes);
    return {p, p, &release, c10::Device(c10::DeviceType::CPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, std::size_t count) const override {
    default_copy_data(to, from, count);
  }

 private:
  static void* serve(std::size_t bytes) {
    if (t_session != 0) {
      if (void* p = serve_in(t_session, bytes)) return p;
      t_session = 0;
    }
    count_foreign(bytes);
    return base_allocate(bytes);
  }
};

// A forked child (a data loader's worker) takes no part, and inherits a lock nobody holds.
void watch_forks() {
#ifdef LOWTIDE_HAS_MMAP
  pthread_atfork([] { mutex().lock(); }, [] { mutex().unlock(); },
                 [] {
                   t_session = 0;
                   mutex().unlock();
                 });
#endif
}

}  // namespace

extern "C" {

// Installs the allocator, for the life of the process. Null if it is in place; else why it is not.
const char* lowtide_install() {
  static const char* refusal = []() -> const char* {
    g_base = c10::GetCPUAllocator();
    g_release_base = g_base == nullptr ? nullptr : g_base->raw_deleter();
    if (g_release_base == nullptr) return "the allocator in place cannot be wrapped";
    watch_forks();
    auto* allocator = new PlannedAllocator;
    c10::SetCPUAllocator(allocator, 0);
    return c10::GetCPUAllocator() == allocator
               ? nullptr
               : "another allocator of higher priority is installed";
  }();
  return refusal;
}

// Memory for plans of at most that many bytes; null if the system has none.
void* lowtide_arena_create(std::int64_t bytes) {
  const auto size = static_cast<std::size_t>(std::max<std::int64_t>(bytes, 1));
  return new_arena(std::make_unique<MappedMemory>(size));
}

}  // extern "C"
