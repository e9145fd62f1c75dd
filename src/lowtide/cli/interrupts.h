// SIGINT (Ctrl-C) and SIGTERM. The process ends at once, with a line, 128 + the signal as its exit
// status and nothing half-written. Unless a search runs that is Interruptible: then the first
// signal makes it end with the best that it has, which the command shows and writes as ever, and
// only the exit status and a line say what happened. The second signal ends the process, whatever
// it does.
#pragma once

#include <atomic>

namespace lowtide::cli {

inline constexpr int kSignalled = 128;  // exit status: and the signal

// Once, before anything else. Signals that the parent process ignores stay ignored.
void catch_interrupts();

// For as long as it lives, the first signal raises flag().
class Interruptible {
 public:
  Interruptible();
  ~Interruptible();
  Interruptible(const Interruptible&) = delete;
  Interruptible& operator=(const Interruptible&) = delete;

  const std::atomic<bool>* flag() const;
};

// The signal that was caught, 0 if none was.
int caught_signal();

}  // namespace lowtide::cli
