// What the table benchmarks share: a command line, a stopwatch, and medians over the rows.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "lowtide/graph/error.h"

namespace lowtide::bench {

// `NAME LIMIT FILE...`: what each of these benchmarks is called with. `run(limit, files)` prints
// the table.
template <class Run>
int main_of(const char* name, const char* limit, int argc, char** argv, const Run& run) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: %s %s FILE...\n", name, limit);
    return 2;
  }
  try {
    return run(std::atof(argv[1]), std::vector<std::string>(argv + 2, argv + argc));
  } catch (const InputError& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}

// Seconds of one call.
template <class Work>
double seconds_of(const Work& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

inline double percentile(std::vector<double> values, double fraction) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(fraction * static_cast<double>(values.size() - 1))];
}

inline void print_summary(std::size_t proven, const std::vector<double>& seconds) {
  double sum = 0;
  for (double s : seconds) sum += s;
  std::printf(
      "%zu of %zu proven; %.3f s in all, median %.4f s, 95th percentile %.4f s, worst %.3f s\n",
      proven, seconds.size(), sum, percentile(seconds, 0.5), percentile(seconds, 0.95),
      percentile(seconds, 1.0));
}

}  // namespace lowtide::bench
