// What records the memory requests of a step and replays them at planned addresses, whatever the
// memory.
//
// Problem. A plan says where every tensor of a training step shall live, but PyTorch asks its
// allocator for memory one request at a time and tells it nothing but a size.
//
// Idea. A training step makes the same requests in the same order every time. Record one step: for
// each request its size and when it was allocated and freed. Place that record offline. From then
// on the n-th request of a step gets the n-th offset in one arena. No tensor needs to be known by
// name.
//
// Guarantee. Replay is checked, so a wrong assumption costs memory, never a result:
//  * a size that differs from the record marks the replay diverged; the rest of the step is served
//    by the allocator that was there before ("base");
//  * an address range is handed out only if no block alive overlaps it; otherwise that one request
//    is served by the base (a "conflict": say, a hook kept an activation that was freed when
//    recorded);
//  * only requests of a session's own take part (of its thread on a CPU, of its stream on a
//    device); others are served by the base;
//  * a session may be ended by another thread than it began on, at any time: whose requests it
//    served goes on with the base;
//  * an arena's memory outlives its owner until its last block is freed and its last replay has
//    ended; a plan outlives its owner as long.
// What still lived when the record ended, or was released by another thread, has no offset: it goes
// to the base.
//
// Cost. Outside a session: one thread-local read an allocation, two atomic loads a release. In a
// replay: one uncontended lock and a search in the sorted list of live blocks, both ways, and one
// among the open sessions for an allocation.
//
// Included once by each library (cpu.cc, cuda.cc, a test's stand-in), which defines the functions
// declared first. The interface is plain C, so that a library builds in seconds.

#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace {

constexpr std::int64_t kAlive = -1;    // end of a request that lived when its record ended
constexpr std::int64_t kNoPlace = -1;  // offset of a request that the base serves

struct Arena;
struct Session;

// ---- what a library defines ---------------------------------------------------------------------

void* base_allocate(std::size_t bytes);  // as before lowtide; throws as the base does
void base_release(void* p);
bool may_open();                      // whether the caller may begin a session here and now
bool may_replay_in(const Arena&);     // whether the caller is where that arena may be used
void entered(Session*);               // it is the caller's session from now on
void left(Session*);                  // nobody is in it any more
bool is_own_release(const Session&);  // whether the caller takes part in the session

// -------------------------------------------------------------------------------------------------

// Guards everything below. Sessions are short and mostly of one thread: it is hardly ever
// contended.
std::mutex& mutex() {
  static std::mutex* m = new std::mutex;  // leaked: tensors are released after static destructors
  return *m;
}
using Lock = std::lock_guard<std::mutex>;

// Address space for an arena.
struct Memory {
  virtual ~Memory() = default;
  bool valid() const { return begin != 0; }
  std::uintptr_t end() const { return begin + bytes; }

  std::uintptr_t begin = 0;
  std::size_t bytes = 0;
};

// Memory and the blocks that live in it, whichever plan put them there. Blocks never overlap.
struct Arena {
  struct Block {
    std::uintptr_t begin, end;
    std::int64_t session, index;  // the request it serves
  };

  explicit Arena(std::unique_ptr<Memory> m) : memory(std::move(m)) {}

  // Takes the block's range unless a live one overlaps it.
  bool take(const Block& block) {
    auto next = find(block.begin);
    if (next != live.end() && next->begin < block.end) return false;
    if (next != live.begin() && std::prev(next)->end > block.begin) return false;
    live.insert(next, block);
    return true;
  }

  // The first live block at or after an address.
  std::vector<Block>::iterator find(std::uintptr_t address) {
    return std::lower_bound(live.begin(), live.end(), address,
                            [](const Block& b, std::uintptr_t at) { return b.begin < at; });
  }

  std::unique_ptr<Memory> memory;
  std::vector<Block> live;  // sorted
  bool owned = true;        // the owner has not released it yet
  int replays = 0;          // that are going on in it
};

std::map<std::uintptr_t, Arena*>& arenas() {  // by end of memory
  static auto* map = new std::map<std::uintptr_t, Arena*>;
  return *map;
}
// Hull of all arenas: tells nearly all base memory apart without the lock. It only grows.
std::atomic<std::uintptr_t> g_hull_begin{UINTPTR_MAX}, g_hull_end{0};

void add_arena(Arena* arena) {
  arenas()[arena->memory->end()] = arena;
  g_hull_begin = std::min(g_hull_begin.load(), arena->memory->begin);
  g_hull_end = std::max(g_hull_end.load(), arena->memory->end());
}

Arena* find_arena(std::uintptr_t address) {
  auto found = arenas().upper_bound(address);
  if (found == arenas().end() || address < found->second->memory->begin) return nullptr;
  return found->second;
}

void delete_if_done(Arena* arena) {
  if (arena->owned || arena->replays > 0 || !arena->live.empty()) return;
  arenas().erase(arena->memory->end());
  delete arena;
}

// ---- sessions -----------------------------------------------------------------------------------

// What a thread is doing between begin and end of a recording or a replay. All is called under the
// lock, and a pointer to a session is good for no longer: any thread may end it.
struct Session {
  virtual ~Session() = default;
  // Where the next request shall lie; null: where the base puts it, and `served` is told.
  virtual void* place(std::size_t bytes) = 0;
  virtual void served(void* p, std::size_t bytes) = 0;
  // The base memory handed out as request `index` was released, on any thread.
  virtual void released(std::int64_t index) = 0;
  // Request `index` shall have no place from now on.
  virtual void displace(std::int64_t index) = 0;

  std::int64_t id = 0;
};

struct Tracked {  // base memory whose release a session wants to see
  std::int64_t session, index;
};
std::unordered_map<void*, Tracked>& tracked() {
  static auto* map = new std::unordered_map<void*, Tracked>;
  return *map;
}
std::unordered_map<std::int64_t, Session*>& sessions() {
  static auto* map = new std::unordered_map<std::int64_t, Session*>;
  return *map;
}
std::atomic<std::int64_t> g_tracked{0};  // size of tracked(), readable without the lock
std::atomic<int> g_recordings{0};
std::atomic<std::int64_t> g_foreign_requests{0}, g_foreign_bytes{0};
std::int64_t g_next_session = 1;
thread_local bool t_outside = false;  // what this thread asks for now shall stay with the base

// The lock must be held.
void track(void* p, const Session& session, std::int64_t index) {
  tracked()[p] = {session.id, index};
  g_tracked.store(static_cast<std::int64_t>(tracked().size()), std::memory_order_relaxed);
}

// The session of that id, null if it has ended. The lock must be held.
Session* find_session(std::int64_t id) {
  const auto found = sessions().find(id);
  return found == sessions().end() ? nullptr : found->second;
}

// A block for a request of that session; null if it has ended.
void* serve_in(std::int64_t id, std::size_t bytes) {
  {
    Lock lock(mutex());
    Session* session = find_session(id);
    if (session == nullptr) return nullptr;
    if (void* p = session->place(bytes)) return p;
  }
  void* p = base_allocate(bytes);
  Lock lock(mutex());
  if (Session* session = find_session(id)) session->served(p, bytes);
  return p;
}

void open_session(Session* session) {
  {
    Lock lock(mutex());
    session->id = g_next_session++;
    sessions()[session->id] = session;
  }
  entered(session);
}

void close_session(Session* session) {
  left(session);
  Lock lock(mutex());
  sessions().erase(session->id);
  for (auto it = tracked().begin(); it != tracked().end();)
    it = it->second.session == session->id ? tracked().erase(it) : std::next(it);
  g_tracked.store(static_cast<std::int64_t>(tracked().size()), std::memory_order_relaxed);
}

// Time is counted in events: every allocation and every release is one tick.
struct Recording final : Session {
  struct Request {
    std::int64_t bytes, start, end;
    bool outside;
  };

  void* place(std::size_t) override { return nullptr; }
  void served(void* p, std::size_t bytes) override {
    track(p, *this, static_cast<std::int64_t>(requests.size()));
    requests.push_back({static_cast<std::int64_t>(bytes), ticks++, kAlive, t_outside});
  }
  // Another thread's release (a collective's, say) comes at another time in every step: no plan can
  // rely on it, so the request is not placed.
  void released(std::int64_t index) override {
    requests[index].end = ticks++;
    if (!is_own_release(*this)) displace(index);
  }
  void displace(std::int64_t index) override { requests[index].outside = true; }

  std::vector<Request> requests;
  std::int64_t ticks = 0;
  std::int64_t foreign_requests = 0, foreign_bytes = 0;  // of other threads, meanwhile
};

struct Plan {
  std::vector<std::int64_t> bytes, offsets;
};

// Counters in the order in which lowtide_replay_end returns them.
struct Counters {
  std::int64_t requests, hits, misses, conflicts, diverged_at, escape_peak_bytes, escaped_requests;
};

using SharedPlan = std::shared_ptr<Plan>;  // of its owner and of the replays that go on

// The lock must be held.
bool fits(const Plan& plan, const Arena& arena) {
  for (std::size_t i = 0; i < plan.bytes.size(); ++i)
    if (plan.offsets[i] != kNoPlace &&
        plan.offsets[i] + plan.bytes[i] > static_cast<std::int64_t>(arena.memory->bytes))
      return false;
  return true;
}

struct Replay final : Session {
  // The lock must be held; so when it is destroyed.
  Replay(SharedPlan p, Arena* a) : plan(std::move(p)), arena(a) { ++arena->replays; }
  Replay(const Replay&) = delete;
  Replay& operator=(const Replay&) = delete;
  ~Replay() override {
    --arena->replays;
    delete_if_done(arena);
  }

  void* place(std::size_t bytes) override {
    const std::int64_t index = counters.requests++;
    if (counters.diverged_at >= 0) return nullptr;
    if (index >= static_cast<std::int64_t>(plan->bytes.size()) ||
        plan->bytes[index] != static_cast<std::int64_t>(bytes)) {
      counters.diverged_at = index;
      return nullptr;
    }
    if (plan->offsets[index] == kNoPlace) {
      ++counters.escaped_requests;
      return nullptr;
    }
    const std::uintptr_t begin = arena->memory->begin + plan->offsets[index];
    if (!arena->take({begin, begin + bytes, id, index})) {
      ++counters.conflicts;
      return nullptr;
    }
    ++counters.hits;
    return reinterpret_cast<void*>(begin);
  }

  void served(void* p, std::size_t bytes) override {
    const std::int64_t index = counters.requests - 1;
    track(p, *this, index);
    escapes[index] = static_cast<std::int64_t>(bytes);
    live += static_cast<std::int64_t>(bytes);
    counters.escape_peak_bytes = std::max(counters.escape_peak_bytes, live);
  }

  void released(std::int64_t index) override { live -= escapes[index]; }
  void displace(std::int64_t index) override { plan->offsets[index] = kNoPlace; }

  SharedPlan plan;
  Arena* arena;
  Counters counters{0, 0, 0, 0, -1, 0, 0};
  std::unordered_map<std::int64_t, std::int64_t> escapes;  // request -> bytes
  std::int64_t live = 0;                                   // bytes of escapes
};

// ---- letting go ---------------------------------------------------------------------------------

// No place in the next replay for the request that a block serves.
void displace(const Arena::Block& block) {
  if (Session* session = find_session(block.session)) session->displace(block.index);
}

// As when recording: what another thread releases during a replay has no place in the next one.
void note_thread(const Arena::Block& block) {
  const Session* session = find_session(block.session);
  if (session != nullptr && !is_own_release(*session)) displace(block);
}

// The same for base memory that a session handed out.
void displace_tracked(void* p) {
  const auto found = tracked().find(p);
  if (found == tracked().end()) return;
  if (Session* session = find_session(found->second.session))
    session->displace(found->second.index);
}

bool release_planned(void* p) {
  const auto address = reinterpret_cast<std::uintptr_t>(p);
  if (address < g_hull_begin.load(std::memory_order_relaxed) ||
      address >= g_hull_end.load(std::memory_order_relaxed))
    return false;
  Lock lock(mutex());
  Arena* arena = find_arena(address);
  if (arena == nullptr) return false;
  const auto block = arena->find(address);
  if (block == arena->live.end() || block->begin != address) return false;
  note_thread(*block);
  arena->live.erase(block);
  delete_if_done(arena);
  return true;
}

void report_release(void* p) {
  if (g_tracked.load(std::memory_order_relaxed) == 0) return;
  Lock lock(mutex());
  const auto found = tracked().find(p);
  if (found == tracked().end()) return;
  const Tracked block = found->second;
  tracked().erase(found);
  g_tracked.store(static_cast<std::int64_t>(tracked().size()), std::memory_order_relaxed);
  if (Session* session = find_session(block.session)) session->released(block.index);
}

// Lets go of any block, whoever handed it out.
void release(void* p) {
  if (p == nullptr || release_planned(p)) return;
  report_release(p);
  base_release(p);
}

// A request that no session takes part in; recordings tell of them.
void count_foreign(std::size_t bytes) {
  if (g_recordings.load(std::memory_order_relaxed) == 0) return;
  g_foreign_requests.fetch_add(1, std::memory_order_relaxed);
  g_foreign_bytes.fetch_add(static_cast<std::int64_t>(bytes), std::memory_order_relaxed);
}

// An arena in that memory, for lowtide_arena_create; null if there is no memory.
void* new_arena(std::unique_ptr<Memory> memory) {
  if (memory == nullptr || !memory->valid()) return nullptr;
  auto* arena = new Arena(std::move(memory));
  Lock lock(mutex());
  add_arena(arena);
  return arena;
}

}  // namespace

// ---- plain C interface; a library adds lowtide_install and lowtide_arena_create
// ----------------------------------------------------------------------------

extern "C" {

// A recording of this thread's requests from now on; null if the thread is recording or replaying
// already, or cannot now.
void* lowtide_record_begin() {
  if (!may_open()) return nullptr;
  auto* recording = new Recording;
  recording->foreign_requests = -g_foreign_requests.load();
  recording->foreign_bytes = -g_foreign_bytes.load();
  ++g_recordings;
  open_session(recording);
  return recording;
}

// The current tick: separates what happened before from what happens after.
std::int64_t lowtide_record_now(void* handle) {
  Lock lock(mutex());
  return static_cast<Recording*>(handle)->ticks;
}

// While on, this thread's requests are recorded as ones that no plan shall place: other threads
// release them, at a time of their own (the buffers of a collective).
void lowtide_outside(int on) { t_outside = on != 0; }

void lowtide_record_end(void* handle) {
  auto* recording = static_cast<Recording*>(handle);
  close_session(recording);
  --g_recordings;
  recording->foreign_requests += g_foreign_requests.load();
  recording->foreign_bytes += g_foreign_bytes.load();
}

std::int64_t lowtide_record_size(void* handle) {
  return static_cast<std::int64_t>(static_cast<Recording*>(handle)->requests.size());
}

// rows: size x 3 integers (bytes, start, end; end -1: alive when the record ended). foreign: 2
// integers (requests and bytes of other threads). Frees the recording, which must have ended.
void lowtide_record_take(void* handle, std::int64_t* rows, std::int64_t* foreign) {
  auto* recording = static_cast<Recording*>(handle);
  for (const Recording::Request& request : recording->requests) {
    *rows++ = request.bytes;
    *rows++ = request.start;
    *rows++ = request.end;
    *rows++ = request.outside;
  }
  foreign[0] = recording->foreign_requests;
  foreign[1] = recording->foreign_bytes;
  delete recording;
}

void lowtide_arena_release(void* handle) {
  Lock lock(mutex());
  auto* arena = static_cast<Arena*>(handle);
  arena->owned = false;
  delete_if_done(arena);
}

std::int64_t lowtide_arena_live_blocks(void* handle) {
  Lock lock(mutex());
  return static_cast<std::int64_t>(static_cast<Arena*>(handle)->live.size());
}

// The n-th request: its bytes and its offset, -1 where the base shall serve it.
void* lowtide_plan_create(std::int64_t n, const std::int64_t* bytes, const std::int64_t* offsets) {
  return new SharedPlan(new Plan{{bytes, bytes + n}, {offsets, offsets + n}});
}

void lowtide_plan_release(void* plan) { delete static_cast<SharedPlan*>(plan); }

// Replays a plan on this thread, in an arena large enough for it (checked). Null if the thread is
// recording or replaying already, or cannot now or the plan does not fit. Plan and arena may be
// released before it ends.
void* lowtide_replay_begin(void* plan_handle, void* arena_handle) {
  const auto& plan = *static_cast<SharedPlan*>(plan_handle);
  auto* arena = static_cast<Arena*>(arena_handle);
  if (!may_open() || !may_replay_in(*arena)) return nullptr;
  Replay* replay = nullptr;
  {
    Lock lock(mutex());
    if (!fits(*plan, *arena)) return nullptr;
    replay = new Replay(plan, arena);
  }
  open_session(replay);
  return replay;
}

// Ends the replay and frees it. counters: 7 integers, see Counters.
void lowtide_replay_end(void* handle, std::int64_t* counters) {
  auto* replay = static_cast<Replay*>(handle);
  close_session(replay);
  const Counters& c = replay->counters;
  const std::int64_t values[] = {c.requests,        c.hits,        c.requests - c.hits,
                                 c.conflicts,       c.diverged_at, c.escape_peak_bytes,
                                 c.escaped_requests};
  std::copy(std::begin(values), std::end(values), counters);
  Lock lock(mutex());
  delete replay;
}

}  // extern "C"
