// What a search may use: wall time, deterministic steps, memory, threads; and how it is stopped.
//
// Limits is a value passed down and narrowed on the way ("a third of what is left"). A search asks
// a Meter, one per search, which counts work in steps and looks at the clock only now and then.
// With a step budget and no deadline every search is a deterministic function of its input.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>

#include "lowtide/base/bytes.h"

namespace lowtide {

using Clock = std::chrono::steady_clock;

// Told whenever a search improves its answer or its bound (both in bytes); for progress lines.
// Called from the searching thread, so it must be quick.
class ProgressSink {
 public:
  virtual ~ProgressSink() = default;
  virtual void improved(Bytes value, Bytes bound) = 0;
};

// Raised when nobody waits for a search's answer any more, or for that of a search around it.
class Abandon {
 public:
  explicit Abandon(const Abandon* outer = nullptr) : outer_(outer) {}
  void raise() { raised_.store(true, std::memory_order_relaxed); }
  bool is_raised() const {
    return raised_.load(std::memory_order_relaxed) || (outer_ != nullptr && outer_->is_raised());
  }

 private:
  const Abandon* outer_;
  std::atomic<bool> raised_ = false;
};

class Limits {
 public:
  static constexpr std::int64_t kUnlimitedSteps = std::numeric_limits<std::int64_t>::max();

  // No deadline, no step budget, 2 GB, one thread, seed 0.
  Limits() = default;
  static Limits within_seconds(double seconds) { return Limits().with_seconds(seconds); }
  static Limits within_steps(std::int64_t steps) { return Limits().with_steps(steps); }

  // Each returns a copy narrowed by one limit; a limit is never widened.
  Limits with_seconds(double seconds) const;
  Limits with_steps(std::int64_t steps) const;
  Limits with_cancellation(const std::atomic<bool>* cancelled) const;
  // `abandon`, made with abandoned() of these limits as its outer one, stops the search.
  Limits with_abandon(const Abandon* abandon) const;
  Limits with_memory_bytes(std::int64_t bytes) const;
  Limits with_threads(int threads) const;
  Limits with_seed(std::uint64_t seed) const;
  Limits with_progress(ProgressSink* sink) const;

  // Seconds until the deadline, never negative; +infinity without one.
  double seconds_left() const;
  // The deadline has passed or the search was cancelled. Reads the clock.
  bool expired() const;
  bool is_cancelled() const {
    return cancelled_ != nullptr && cancelled_->load(std::memory_order_relaxed);
  }

  bool has_deadline() const { return deadline_.has_value(); }
  std::int64_t steps() const { return steps_; }
  std::int64_t memory_bytes() const { return memory_bytes_; }
  int threads() const { return threads_; }
  const Abandon* abandoned() const { return abandoned_; }
  std::uint64_t seed() const { return seed_; }
  void report(Bytes value, Bytes bound) const {
    if (progress_ != nullptr) progress_->improved(value, bound);
  }

 private:
  std::optional<Clock::time_point> deadline_;
  std::int64_t steps_ = kUnlimitedSteps;
  std::int64_t memory_bytes_ = 2'000'000'000;
  const std::atomic<bool>* cancelled_ = nullptr;
  const Abandon* abandoned_ = nullptr;
  int threads_ = 1;
  std::uint64_t seed_ = 0;
  ProgressSink* progress_ = nullptr;
};

// Counts one search's work against its Limits.
class Meter {
 public:
  explicit Meter(const Limits& limits) : limits_(limits), expired_(limits.expired()) {}

  // Spend `steps` units of work; true when the search must stop. Cheap: the clock is read about
  // every kClockPeriod steps. Once true it stays true.
  bool spend(std::int64_t steps = 1) {
    used_ += steps;
    if (used_ >= limits_.steps()) return true;
    if (used_ >= next_clock_) look_at_clock();
    return expired_;
  }
  bool stopped() const { return expired_ || used_ >= limits_.steps(); }
  std::int64_t used() const { return used_; }
  // What is left, for a search within the search.
  Limits rest() const { return limits_.with_steps(std::max<std::int64_t>(0, steps_left())); }
  // search(Meter*) within `steps` of what is left, spent with it; its result.
  template <class Search>
  auto within(std::int64_t steps, const Search& search) {
    Meter part(rest().with_steps(steps));
    auto result = search(&part);
    spend(part.used());
    return result;
  }
  std::int64_t steps_left() const {
    return limits_.steps() == Limits::kUnlimitedSteps ? limits_.steps() : limits_.steps() - used_;
  }
  const Limits& limits() const { return limits_; }

 private:
  // Steps can take a millisecond on large problems; looking at the clock takes 30 ns.
  static constexpr std::int64_t kClockPeriod = 256;
  void look_at_clock() {
    next_clock_ = used_ + kClockPeriod;
    expired_ = expired_ || limits_.expired();
  }

  Limits limits_;
  std::int64_t used_ = 0;
  std::int64_t next_clock_ = kClockPeriod;
  bool expired_;
};

}  // namespace lowtide
