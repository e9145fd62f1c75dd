// Buffers as CSV, MiniMalloc's format: a header and a line a buffer, plain numbers without quotes.
//
//   id,lower,upper,size[,alignment][,offset]...     any column order; other columns are carried
//   through
//
// Lifetimes are half-open steps [lower, upper). `start` and `end` stand for lower and upper with an
// inclusive end (upper = end + 1). An `offset` that is not empty is fixed.
#pragma once

#include <string>
#include <vector>

#include "lowtide/model/layout_problem.h"

namespace lowtide {

// The file as it was, and the problem in it.
struct IntervalCsv {
  std::vector<std::string> lines;  // the header, then a line a buffer, without line ends
  std::vector<std::string> ids;    // by buffer; its row number where there is no id column
  LayoutProblem problem;
};

// Throws InputError with file, line and reason.
IntervalCsv load_interval_csv(const std::string& path);
IntervalCsv parse_interval_csv(const std::string& text, const std::string& where);

// The same rows with each buffer's offset in the column `offset` (added at the end if there is
// none).
std::string format_interval_csv(const IntervalCsv& csv, const IdVector<BufferId, Bytes>& offsets);

}  // namespace lowtide
