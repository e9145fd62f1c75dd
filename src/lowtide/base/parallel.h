// Tasks on several threads, with the same outcome for any number of threads.
//
// in_order() is speculation: tasks that would run one after the other on one budget of steps, each
// on what the earlier ones left, until one says that the rest is not needed. On several threads the
// later ones start before that is known. Each then has all of the steps that are left, and what has
// run is counted afterwards as it would have been in order: what comes after the last task that was
// needed, or after the end of the steps, counts for nothing, whether it has run or not. A task must
// be a function of its number and its steps, and write nothing that another one reads.
#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "lowtide/base/limits.h"

namespace lowtide {

// Calls task(0) .. task(num_tasks - 1), each once, on at most `threads` threads, this one included;
// returns when all are done. The first exception is thrown on here.
template <class Task>
void in_parallel(int threads, std::size_t num_tasks, const Task& task) {
  std::atomic<std::size_t> next = 0;
  std::exception_ptr failure;
  std::mutex failure_mutex;
  const auto work = [&] {
    try {
      for (std::size_t i; (i = next++) < num_tasks;) task(i);
    } catch (...) {
      const std::lock_guard lock(failure_mutex);
      if (!failure) failure = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> helpers;
    try {
      for (std::size_t t = 1; t < num_tasks && t < static_cast<std::size_t>(threads); ++t)
        helpers.emplace_back(work);
    } catch (const std::system_error&) {  // no more threads to be had: those there are will do
    }
    work();
  }
  if (failure) std::rethrow_exception(failure);
}

// Calls task(i, meter) for i = 0, 1, ..., as many as are needed (see above); it returns whether to
// go on after it. `meter` pays. Returns how many count.
template <class Task>
std::size_t in_order(Meter* meter, std::size_t num_tasks, const Task& task) {
  const Limits limits = meter->rest();
  const int threads = limits.threads();
  std::deque<Abandon> in_vain;
  std::vector<Meter> meters;
  for (std::size_t i = 0; i < num_tasks; ++i) {
    in_vain.emplace_back(limits.abandoned());
    meters.emplace_back(
        limits.with_threads(threads / static_cast<int>(num_tasks)).with_abandon(&in_vain.back()));
  }
  std::vector<std::uint8_t> goes_on(num_tasks, 0);
  const auto run = [&](std::size_t i) {
    if (in_vain[i].is_raised()) return;
    goes_on[i] = task(i, &meters[i]);
    for (std::size_t later = i + 1; later < num_tasks && !goes_on[i]; ++later)
      in_vain[later].raise();
  };
  if (threads > 1) in_parallel(threads, num_tasks, run);
  for (std::size_t i = 0; i < num_tasks; ++i) {
    if (threads == 1) {
      meters[i] = Meter(meter->rest());
      run(i);
    }
    meter->spend(meters[i].used());
    if (meter->steps_left() <= 0) return i;
    if (!goes_on[i]) return i + 1;
  }
  return num_tasks;
}

}  // namespace lowtide
