// Runs a search outside the GIL and keeps Ctrl-C working: the calling thread looks for Python
// signals while a worker searches; on one, the search is cancelled and the exception raised.
#pragma once

#include <nanobind/nanobind.h>

#include <atomic>
#include <chrono>
#include <future>

namespace lowtide::python {

// search(const std::atomic<bool>* cancelled) -> result; exceptions of the search come through.
template <class Search>
auto run_interruptibly(const Search& search) {
  std::atomic<bool> cancelled = false;
  nanobind::gil_scoped_release released;
  auto result = std::async(std::launch::async, [&] { return search(&cancelled); });
  while (result.wait_for(std::chrono::milliseconds(50)) != std::future_status::ready) {
    nanobind::gil_scoped_acquire acquired;
    if (PyErr_CheckSignals() == 0) continue;
    cancelled = true;
    nanobind::gil_scoped_release waiting;
    result.wait();
    break;
  }
  if (!cancelled) return result.get();
  nanobind::gil_scoped_acquire acquired;
  throw nanobind::python_error();
}

}  // namespace lowtide::python
