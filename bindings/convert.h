// Python values to lowtide's, with ValueError (never TypeError or overflow) for bad ones.
#pragma once

#include <nanobind/nanobind.h>

#include <string>
#include <vector>

#include "lowtide/base/bytes.h"
#include "lowtide/io/reading.h"

namespace lowtide::python {

// A whole number of bytes that fits 63 bits; anything with __index__ (NumPy integers too).
// Throws InputError(where, ...), which becomes ValueError.
Bytes to_bytes(nanobind::handle value, const std::string& where);

// A path as os.fsencode takes it: str, bytes or os.PathLike; else TypeError, as everywhere.
std::string to_path(nanobind::handle value);

// What a reader remarks, as Python's warnings.
class Warnings {
 public:
  Reading reading(bool strict) {
    return {.strict = strict, .warn = [this](const std::string& text) { lines_.push_back(text); }};
  }
  // A UserWarning a line; throws if warnings are errors.
  void issue() const;

 private:
  std::vector<std::string> lines_;
};

}  // namespace lowtide::python
