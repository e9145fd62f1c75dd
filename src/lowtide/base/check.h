// LOWTIDE_CHECK: an assertion that stays on in release builds.
//
// A failed check is a bug in lowtide, never bad input and never the outcome of a search (see
// ARCHITECTURE.md, "Errors"): it prints the condition, the place and a message, then aborts.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>

namespace lowtide {

[[noreturn]] inline void check_failed(const char* condition, const char* file, int line,
                                      const std::string& message) {
  std::fprintf(stderr, "%s:%d: lowtide bug: check failed: %s%s%s\n", file, line, condition,
               message.empty() ? "" : ": ", message.c_str());
  std::abort();
}

}  // namespace lowtide

#define LOWTIDE_CHECK(condition, message) \
  ((condition) ? (void)0 : ::lowtide::check_failed(#condition, __FILE__, __LINE__, (message)))

// Checks too slow for release builds (recomputing incremental state from scratch).
#ifdef NDEBUG
#define LOWTIDE_DCHECK(condition, message) ((void)0)
#else
#define LOWTIDE_DCHECK(condition, message) LOWTIDE_CHECK(condition, message)
#endif
