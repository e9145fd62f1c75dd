#include "lowtide/base/limits.h"

namespace lowtide {
namespace {

// Longer than any search; keeps deadline arithmetic from overflowing on absurd --time-limit values.
constexpr double kMaxSeconds = 1e9;

}  // namespace

Limits Limits::with_seconds(double seconds) const {
  Limits narrowed = *this;
  const double clamped = std::clamp(seconds, 0.0, kMaxSeconds);
  const auto deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                           std::chrono::duration<double>(clamped));
  narrowed.deadline_ = deadline_ ? std::min(*deadline_, deadline) : deadline;
  return narrowed;
}

Limits Limits::with_steps(std::int64_t steps) const {
  Limits narrowed = *this;
  narrowed.steps_ = std::min(steps_, steps);
  return narrowed;
}

Limits Limits::with_cancellation(const std::atomic<bool>* cancelled) const {
  Limits narrowed = *this;
  narrowed.cancelled_ = cancelled;
  return narrowed;
}

Limits Limits::with_abandon(const Abandon* abandon) const {
  Limits narrowed = *this;
  narrowed.abandoned_ = abandon;
  return narrowed;
}

Limits Limits::with_memory_bytes(std::int64_t bytes) const {
  Limits narrowed = *this;
  narrowed.memory_bytes_ = bytes;
  return narrowed;
}

Limits Limits::with_threads(int threads) const {
  Limits narrowed = *this;
  narrowed.threads_ = std::max(1, threads);
  return narrowed;
}

Limits Limits::with_seed(std::uint64_t seed) const {
  Limits narrowed = *this;
  narrowed.seed_ = seed;
  return narrowed;
}

Limits Limits::with_progress(ProgressSink* sink) const {
  Limits changed = *this;
  changed.progress_ = sink;
  return changed;
}

double Limits::seconds_left() const {
  if (!deadline_) return std::numeric_limits<double>::infinity();
  return std::max(0.0, std::chrono::duration<double>(*deadline_ - Clock::now()).count());
}

bool Limits::expired() const {
  if (is_cancelled()) return true;
  if (abandoned_ != nullptr && abandoned_->is_raised()) return true;
  return deadline_.has_value() && Clock::now() >= *deadline_;
}

}  // namespace lowtide
