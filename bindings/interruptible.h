// Runs a search outside the GIL and keeps Ctrl-C working: the calling thread looks for Python
// signals while a worker searches; on one, the search is cancelled, and the exception that the
// signal raised carries what was found.
#pragma once

#include <nanobind/nanobind.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <future>

namespace lowtide::python {

// bind(search(const std::atomic<bool>* cancelled)); exceptions of the search come through. Where a
// signal's handler raises one, that is thrown, with the result as its attribute `name`.
template <class Search, class Bind>
auto run_interruptibly(const char* name, const Search& search, const Bind& bind) {
  std::atomic<bool> cancelled = false;
  auto result = std::async(std::launch::async, [&] { return search(&cancelled); });
  const auto wait = [&] {
    nanobind::gil_scoped_release released;
    return result.wait_for(std::chrono::milliseconds(50)) == std::future_status::ready;
  };
  while (!wait()) {
    if (PyErr_CheckSignals() == 0) continue;
    const nanobind::python_error raised;
    cancelled = true;
    while (!wait()) continue;
    try {
      nanobind::setattr(raised.value(), name, nanobind::cast(bind(result.get())));
    } catch (const std::exception&) {  // nothing was found, or what was raised takes no attributes
    }
    throw raised;
  }
  return bind(result.get());
}

}  // namespace lowtide::python
