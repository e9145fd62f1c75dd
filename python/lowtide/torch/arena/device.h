// Sessions on a device, where memory belongs to a stream (see core.h).
//
// Problem. A device's memory is reused in the order of its stream's work, not of the host's;
// autograd runs a device's backward pass in a thread of its own; CUDA graphs and memory pools want
// addresses of their own; and another stream may read a tensor after its owner let go of it.
//
// Idea. A session belongs to the stream that was current when it began, and serves whoever asks on
// that stream, from whatever thread. An arena belongs to the stream that was current when it was
// made, and is used on no other: what lies in it is then ordered as the host ordered the requests.
//
// Guarantee. Requests on another device or stream, while a private pool is in use, or while the
// stream is being captured go to the base, and do not count. A session cannot begin where they
// would. A block that another stream is told of (record_stream) makes the arena's stream wait for
// that one when it is released, and has no place in the next replay.
//
// Cost. Outside a session one atomic load an allocation; in one two locks and the current stream.

#pragma once

#include <utility>

#include "core.h"

namespace {

struct Place {
  int device;
  std::uintptr_t stream;

  friend bool operator==(const Place& a, const Place& b) {
    return a.device == b.device && a.stream == b.stream;
  }
};

// ---- what a library defines, beside base_allocate and base_release ------------------------------

Place place_now();    // the caller's device and stream
bool is_capturing();  // whether that stream is being captured
void wait_for(const Place& place,
              std::uintptr_t stream);  // what comes on the one, for what is on the other

// -------------------------------------------------------------------------------------------------

struct Open {
  Place place;
  Session* session;
};
// Held while a session serves a request, so that none ends meanwhile. Taken before mutex().
std::mutex& serving() {
  static auto* m = new std::mutex;
  return *m;
}
std::vector<Open>& open_sessions() {
  static auto* sessions = new std::vector<Open>;
  return *sessions;
}
std::atomic<int> g_open{0};   // how many there are, readable without the lock
std::atomic<int> g_pools{0};  // private pools that allocations are routed to now

bool is_routed_elsewhere() { return g_pools.load(std::memory_order_relaxed) > 0 || is_capturing(); }

// serving() must be held.
Session* session_at(const Place& place) {
  for (const Open& open : open_sessions())
    if (open.place == place) return open.session;
  return nullptr;
}

bool may_open() {
  if (is_routed_elsewhere()) return false;
  const Place place = place_now();
  Lock lock(serving());
  return session_at(place) == nullptr;
}
void entered(Session* session) {
  const Place place = place_now();
  Lock lock(serving());
  open_sessions().push_back({place, session});
  g_open = static_cast<int>(open_sessions().size());
}
void left(Session* session) {
  Lock lock(serving());
  auto& open = open_sessions();
  open.erase(
      std::remove_if(open.begin(), open.end(), [&](const Open& o) { return o.session == session; }),
      open.end());
  g_open = static_cast<int>(open.size());
}
bool is_own_release(const Session&) { return true; }

struct DeviceMemory final : Memory {
  DeviceMemory(std::size_t size, const Place& where) : place(where) {
    bytes = size;
    begin = reinterpret_cast<std::uintptr_t>(base_allocate(size));
  }
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;
  ~DeviceMemory() override {
    if (valid()) base_release(reinterpret_cast<void*>(begin));
  }

  Place place;
};

const Place& place_of(const Arena& arena) {
  return static_cast<const DeviceMemory&>(*arena.memory).place;
}
bool may_replay_in(const Arena& arena) { return place_of(arena) == place_now(); }

// A session's block for the caller; null if no session takes part: the base shall serve it, as
// ever.
void* serve(std::size_t bytes) {
  if (g_open.load(std::memory_order_relaxed) == 0) return nullptr;
  if (!is_routed_elsewhere()) {
    const Place place = place_now();
    Lock lock(serving());
    if (Session* session = session_at(place)) return serve_in(session->id, bytes);
  }
  count_foreign(bytes);
  return nullptr;
}

// ---- blocks that other streams use --------------------------------------------------------------

struct Elsewhere {
  Place owner;
  std::uintptr_t stream;
};
std::unordered_multimap<void*, Elsewhere>& used_elsewhere() {
  static auto* map = new std::unordered_multimap<void*, Elsewhere>;
  return *map;
}
std::atomic<int> g_used_elsewhere{0};

// Another stream uses the block from now on. False if it lies in no arena: the base must be told.
bool record_stream(void* p, std::uintptr_t stream) {
  const auto address = reinterpret_cast<std::uintptr_t>(p);
  Lock lock(mutex());
  Arena* arena = find_arena(address);
  if (arena == nullptr) {
    displace_tracked(p);
    return false;
  }
  if (place_of(*arena).stream == stream) return true;
  const auto block = arena->find(address);
  if (block != arena->live.end() && block->begin == address) displace(*block);
  used_elsewhere().insert({p, {place_of(*arena), stream}});
  g_used_elsewhere = static_cast<int>(used_elsewhere().size());
  return true;
}

// Before a block's bytes serve another request, its stream waits for those that used it.
void settle(void* p) {
  if (g_used_elsewhere.load(std::memory_order_relaxed) == 0) return;
  std::vector<Elsewhere> users;
  {
    Lock lock(mutex());
    const auto [first, last] = used_elsewhere().equal_range(p);
    for (auto it = first; it != last; ++it) users.push_back(it->second);
    used_elsewhere().erase(first, last);
    g_used_elsewhere = static_cast<int>(used_elsewhere().size());
  }
  for (const Elsewhere& user : users) wait_for(user.owner, user.stream);
}

// Deleter of every block that a session handed out.
void release_on_device(void* p) {
  if (p == nullptr) return;
  settle(p);
  release(p);
}

}  // namespace

extern "C" {

// Memory on the current device and stream, for plans of at most that many bytes; null if there is
// none.
void* lowtide_arena_create(std::int64_t bytes) {
  const auto size = static_cast<std::size_t>(std::max<std::int64_t>(bytes, 1));
  try {
    return new_arena(std::make_unique<DeviceMemory>(size, place_now()));
  } catch (const std::exception&) {  // out of memory: steps run without an arena
    return nullptr;
  }
}

}  // extern "C"
