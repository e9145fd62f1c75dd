#include "lowtide/cli/progress_line.h"

#include <unistd.h>

#include <cstdio>

namespace lowtide::cli {
namespace {

constexpr auto kQuietAtFirst = std::chrono::milliseconds(500);
constexpr auto kPeriod = std::chrono::milliseconds(100);

}  // namespace

ProgressLine::ProgressLine() : on_terminal_(::isatty(STDERR_FILENO) == 1) {}

ProgressLine::~ProgressLine() {
  if (shown_) std::fputs("\r\033[K", stderr);
}

void ProgressLine::improved(Bytes value, Bytes bound) {
  const auto now = Clock::now();
  if (!on_terminal_ || now - start_ < kQuietAtFirst || (shown_ && now - last_ < kPeriod)) return;
  const double gap =
      value > 0 ? 100.0 * static_cast<double>(value - bound) / static_cast<double>(value) : 0;
  std::fprintf(stderr, "\r\033[K%5.1f s   %s   at least %s   gap %.2f %%",
               std::chrono::duration<double>(now - start_).count(), format_bytes(value).c_str(),
               format_bytes(bound).c_str(), gap);
  std::fflush(stderr);
  shown_ = true;
  last_ = now;
}

}  // namespace lowtide::cli
