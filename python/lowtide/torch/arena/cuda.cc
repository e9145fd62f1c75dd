// The CUDA allocator, recorded and replayed (see core.h and device.h).
//
// PyTorch gives a CUDA allocator no seam for single requests: a MemPool serves segments under the
// caching layer, and a pluggable allocator replaces the caching layer and must be there before CUDA
// starts. So the allocator's pointer itself is swapped, for one that forwards everything to the
// native one but the requests of a session. All of its interface is forwarded, so this file follows
// PyTorch's version.
//
// Refused, with the reason: a backend that is not the native one, expandable segments, an allocator
// that somebody else swapped in. What the native one says about an arena is true of the arena as
// one block: memory_allocated counts all of it, and a tensor in it cannot be shared with another
// process.

#include <c10/cuda/CUDAAllocatorConfig.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/headeronly/version.h>

#include "device.h"

#define LOWTIDE_TORCH (TORCH_VERSION_MAJOR * 100 + TORCH_VERSION_MINOR)

namespace {

namespace caching = c10::cuda::CUDACachingAllocator;
using c10::DataPtr;
using c10::DeviceIndex;
using c10::MempoolId_t;

caching::CUDAAllocator* g_base = nullptr;  // who served before us, and still serves what we do not

void* base_allocate(std::size_t bytes) { return g_base->raw_alloc(bytes); }
void base_release(void* p) { g_base->raw_delete(p); }

std::uintptr_t number_of(cudaStream_t stream) { return reinterpret_cast<std::uintptr_t>(stream); }
cudaStream_t stream_of(std::uintptr_t number) { return reinterpret_cast<cudaStream_t>(number); }

Place place_now() {
  const c10::cuda::CUDAStream stream = c10::cuda::getCurrentCUDAStream();
  return {stream.device_index(), number_of(stream.stream())};
}

bool is_capturing() {
  return c10::cuda::currentStreamCaptureStatusMayInitCtx() != c10::cuda::CaptureStatus::None;
}

void wait_for(const Place& place, std::uintptr_t stream) {
  const c10::cuda::CUDAGuard guard(static_cast<DeviceIndex>(place.device));
  cudaEvent_t event = nullptr;
  C10_CUDA_CHECK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  C10_CUDA_CHECK(cudaEventRecord(event, stream_of(stream)));
  C10_CUDA_CHECK(cudaStreamWaitEvent(stream_of(place.stream), event, 0));
  C10_CUDA_CHECK(cudaEventDestroy(event));
}

struct PlannedAllocator final : caching::CUDAAllocator {
  // -- what lowtide is about ----------------------------------------------------------------------

  DataPtr allocate(std::size_t bytes) override {
    void* p = bytes == 0 ? nullptr : serve(bytes);
    if (p == nullptr) return g_base->allocate(bytes);
    return {p, p, &release_on_device,
            c10::Device(c10::DeviceType::CUDA, c10::cuda::current_device())};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release_on_device; }

  void recordStream(const DataPtr& ptr, c10::cuda::CUDAStream stream) override {
    if (ptr.get_deleter() != &release_on_device) return g_base->recordStream(ptr, stream);
    if (record_stream(ptr.get(), number_of(stream.stream()))) return;
    // The base knows its memory by its own deleter.
    DataPtr known(ptr.get(), ptr.get(), g_base->raw_deleter(), ptr.device());
    g_base->recordStream(known, stream);
    known.release_context();
  }
  using caching::CUDAAllocator::recordStream;

  void beginAllocateToPool(DeviceIndex device, MempoolId_t pool,
                           std::function<bool(cudaStream_t)> filter) override {
    ++g_pools;
    g_base->beginAllocateToPool(device, pool, std::move(filter));
  }
  void endAllocateToPool(DeviceIndex device, MempoolId_t pool) override {
    g_base->endAllocateToPool(device, pool);
    --g_pools;
  }

  // -- forwarded
  // ------------------------------------------------------------------------------------

  bool is_simple_data_ptr(const DataPtr& ptr) const override {
    return g_base->is_simple_data_ptr(ptr);
  }
  void copy_data(void* to, const void* from, std::size_t count) const override {
    g_base->copy_data(to, from, count);
  }
  bool initialized() override { return g_base->initialized(); }
  void emptyCache(MempoolId_t pool) override { g_base->emptyCache(pool); }
  c10::CachingDeviceAllocator::DeviceStats getDeviceStats(DeviceIndex device) override {
    return g_base->getDeviceStats(device);
  }
  void resetAccumulatedStats(DeviceIndex device) override { g_base->resetAccumulatedStats(device); }
  void resetPeakStats(DeviceIndex device) override { g_base->resetPeakStats(device); }
  std::pair<std::size_t, std::size_t> getMemoryInfo(DeviceIndex device) override {
    return g_base->getMemoryInfo(device);
  }
  void* raw_alloc(std::size_t bytes) override { return g_base->raw_alloc(bytes); }
  void* raw_alloc_with_stream(std::size_t bytes, cudaStream_t stream) override {
    return g_base->raw_alloc_with_stream(bytes, stream);
  }
  void raw_delete(void* p) override { g_base->raw_delete(p); }
  void init(int count) override { g_base->init(count); }
  double getMemoryFraction(DeviceIndex device) override {
    return g_base->getMemoryFraction(device);
  }
  void setMemoryFraction(double fraction, DeviceIndex device) override {
    g_base->setMemoryFraction(fraction, device);
  }
  std::vector<caching::StreamSegmentSize> getExpandableSegmentSizes(DeviceIndex device) override {
    return g_base->getExpandableSegmentSizes(device);
  }
  void enable(bool value) override { g_base->enable(value); }
  bool isEnabled() const override { return g_base->isEnabled(); }
  void cacheInfo(DeviceIndex device, std::size_t* largest) override {
    g_base->cacheInfo(device, largest);
  }
  void* getBaseAllocation(void* p, std::size_t* size) override {
    refuse_sharing(p);
    return g_base->getBaseAllocation(p, size);
  }
  caching::SnapshotInfo snapshot(MempoolId_t pool, bool traces) override {
    return g_base->snapshot(pool, traces);
  }
  void markCaptureBegin(DeviceIndex device) override { g_base->markCaptureBegin(device); }
  void markCaptureEnd(DeviceIndex device) override { g_base->markCaptureEnd(device); }
  void releasePool(DeviceIndex device, MempoolId_t pool) override {
    g_base->releasePool(device, pool);
  }
  int getPoolUseCount(DeviceIndex device, MempoolId_t pool) override {
    return g_base->getPoolUseCount(device, pool);
  }
  void createOrIncrefPool(DeviceIndex device, MempoolId_t pool,
                          std::shared_ptr<caching::CUDAAllocator> allocator) override {
    g_base->createOrIncrefPool(device, pool, std::move(allocator));
  }
  void setUseOnOOM(DeviceIndex device, MempoolId_t pool, bool use) override {
    g_base->setUseOnOOM(device, pool, use);
  }
  void setNoSplit(DeviceIndex device, MempoolId_t pool) override {
    g_base->setNoSplit(device, pool);
  }
  bool checkPoolLiveAllocations(DeviceIndex device, MempoolId_t pool,
                                const std::unordered_set<void*>& expected) override {
    return g_base->checkPoolLiveAllocations(device, pool, expected);
  }
  caching::ShareableHandle shareIpcHandle(void* p) override {
    refuse_sharing(p);
    return g_base->shareIpcHandle(p);
  }
  std::shared_ptr<void> getIpcDevPtr(std::string handle) override {
    return g_base->getIpcDevPtr(std::move(handle));
  }
  bool isHistoryEnabled() override { return g_base->isHistoryEnabled(); }
  std::shared_ptr<c10::GatheredContext> getContextForPointer(const void* p) override {
    return g_base->getContextForPointer(p);
  }
  void recordHistory(bool enabled, caching::CreateContextFn recorder, std::size_t max_entries,
                     caching::RecordContext when, bool clear,
                     const std::vector<std::string>& skip) override {
    g_base->recordHistory(enabled, recorder, max_entries, when, clear, skip);
  }
  void recordAnnotation(const std::vector<std::pair<std::string, std::string>>& entries) override {
    g_base->recordAnnotation(entries);
  }
  void pushCompileContext(std::string& text) override { g_base->pushCompileContext(text); }
  void popCompileContext() override { g_base->popCompileContext(); }
  void setUserMetadata(const std::string& text) override { g_base->setUserMetadata(text); }
  std::string getUserMetadata() override { return g_base->getUserMetadata(); }
#if LOWTIDE_TORCH >= 214
  bool supportsUserMetadata() override { return g_base->supportsUserMetadata(); }
  void annotateMemory(const void* p, const std::string& text) override {
    g_base->annotateMemory(p, text);
  }
#endif
  void attachOutOfMemoryObserver(caching::OutOfMemoryObserver observer) override {
    g_base->attachOutOfMemoryObserver(std::move(observer));
  }
  void attachOomRejectionObserver(caching::OomRejectionObserver observer) override {
    g_base->attachOomRejectionObserver(std::move(observer));
  }
  void attachAllocatorTraceTracker(caching::AllocatorTraceTracker tracker) override {
    g_base->attachAllocatorTraceTracker(std::move(tracker));
  }
  void enablePeerAccess(DeviceIndex device, DeviceIndex other) override {
    g_base->enablePeerAccess(device, other);
  }
  cudaError_t memcpyAsync(void* to, int to_device, const void* from, int from_device,
                          std::size_t count, cudaStream_t stream, bool peer) override {
    return g_base->memcpyAsync(to, to_device, from, from_device, count, stream, peer);
  }
  std::shared_ptr<caching::AllocatorState> getCheckpointState(DeviceIndex device,
                                                              MempoolId_t pool) override {
    return g_base->getCheckpointState(device, pool);
  }
  caching::CheckpointDelta setCheckpointPoolState(
      DeviceIndex device, std::shared_ptr<caching::AllocatorState> state) override {
    return g_base->setCheckpointPoolState(device, std::move(state));
  }
  DataPtr allocateWithAddress(std::size_t bytes, void* address) override {
    return g_base->allocateWithAddress(bytes, address);
  }
  std::string name() override { return g_base->name(); }

 private:
  // The base would take the pointer for none of its own, or hand out the whole arena.
  static void refuse_sharing(void* p) {
    Lock lock(mutex());
    TORCH_CHECK(find_arena(reinterpret_cast<std::uintptr_t>(p)) == nullptr,
                "this tensor lies in lowtide's arena, which cannot be shared between processes; "
                "share a clone of it");
  }
};

PlannedAllocator* planned() {
  static auto* allocator = new PlannedAllocator;  // leaked: storages keep its address
  return allocator;
}

}  // namespace

extern "C" {

// Swaps the allocator in. Null if it is in place; else why it is not.
const char* lowtide_install() {
  caching::CUDAAllocator* now = caching::allocator.load();
  if (now == planned()) return nullptr;
  if (now == nullptr || !now->initialized()) return "CUDA is not initialized";
  if (now->name() != "native") return "the CUDA allocator's backend is not 'native'";
  if (caching::CUDAAllocatorConfig::expandable_segments()) return "expandable segments are on";
  if (g_base != nullptr && now != g_base) return "another CUDA allocator was swapped in";
  g_base = now;
  if (!caching::allocator.compare_exchange_strong(now, planned()))
    return "another CUDA allocator was swapped in";
  return nullptr;
}

// Swaps the base in again; blocks that live in arenas stay valid. 0 if somebody else's is in place.
int lowtide_restore() {
  caching::CUDAAllocator* now = planned();
  return caching::allocator.compare_exchange_strong(now, g_base) ? 1 : 0;
}

}  // extern "C"
