#include "lowtide/cli/interrupts.h"

#include <unistd.h>

#include <csignal>
#include <string_view>

#include "lowtide/io/file.h"

namespace lowtide::cli {
namespace {

// What a signal handler may touch.
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<int>::is_always_lock_free);
std::atomic<int> caught = 0;
std::atomic<int> searches = 0;
std::atomic<bool> is_cancelled = false;

[[noreturn]] void end_at_once(int signal) {
  constexpr std::string_view kLine = "lowtide: interrupted: nothing more was written\n";
  remove_unfinished_file();
  static_cast<void>(::write(STDERR_FILENO, kLine.data(), kLine.size()) == 0);  // or nobody reads it
  ::_exit(kSignalled + signal);
}

extern "C" void handle_signal(int signal) {
  const bool is_first = caught.exchange(signal) == 0;
  if (!is_first || searches == 0) end_at_once(signal);
  is_cancelled = true;
}

}  // namespace

void catch_interrupts() {
  for (const int signal : {SIGINT, SIGTERM}) {
    struct sigaction action {};
    if (::sigaction(signal, nullptr, &action) != 0 || action.sa_handler == SIG_IGN) continue;
    action = {};
    action.sa_handler = handle_signal;
    action.sa_flags = SA_RESTART;
    ::sigaction(signal, &action, nullptr);
  }
}

Interruptible::Interruptible() { ++searches; }
Interruptible::~Interruptible() { --searches; }
const std::atomic<bool>* Interruptible::flag() const { return &is_cancelled; }

int caught_signal() { return caught; }

}  // namespace lowtide::cli
