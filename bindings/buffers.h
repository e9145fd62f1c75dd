// Buffers from Python: rows, arrays or columns, to a LayoutRequest.
//
//   rows      (lower, upper, size[, alignment]), any sequences
//   arrays    of shape (n, 3) or (n, 4); integers of 64 bits are read without making Python objects
//   columns   by name, as in the CSV (docs/formats.md): a dict, a data frame, a structured array
#pragma once

#include <nanobind/nanobind.h>

#include <string>
#include <vector>

#include "lowtide/io/reading.h"
#include "lowtide/model/layout_request.h"

namespace lowtide::python {

struct Buffers {
  LayoutRequest request;
  // Names by buffer, nothing for any of them; nothing at all without such a column.
  std::vector<std::vector<std::string>> banks;
};

// `alignment`: of the buffers that have none of their own. Throws InputError naming the buffer.
Buffers to_buffers(nanobind::handle buffers, Bytes alignment, const Reading& reading);

}  // namespace lowtide::python
