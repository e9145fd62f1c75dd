// Buffers as CSV, MiniMalloc's format: a header and a line a buffer, plain numbers without quotes.
//
//   id,lower,upper,size[,alignment][,offset][,hint][,gaps][,alias][,adjacent][,banks]...
//
// Any column order; other columns are carried through. Lifetimes are half-open steps [lower,
// upper). `start` or `begin` stand for lower, and `end` for an inclusive upper (upper = end + 1, in
// gaps as well). An `offset` that is not empty is fixed; a `hint` that is not negative is tried.
//
//   gaps       "7-9 12-14@2:13": holds nothing in [7, 9), and of its bytes only [2, 13) in [12, 14)
//   alias      buffers with the same name here share an offset, and their bytes
//   adjacent   buffers with the same name here stand one above the other, in the order of the file
//   banks      "SRAM PSRAM": the memories it may live in; empty: in any
#pragma once

#include <string>
#include <vector>

#include "lowtide/model/layout_request.h"

namespace lowtide {

// The file as it was, and the request in it.
struct IntervalCsv : LayoutRequest {
  std::vector<std::string> lines;  // the header, then a line a buffer, without line ends
  std::vector<std::string> ids;    // by buffer; its row number where there is no id column
  IdVector<BufferId, std::vector<std::string>> banks;  // it may live in; empty: in any
};

// Throws InputError with file, line and reason.
IntervalCsv load_interval_csv(const std::string& path);
IntervalCsv parse_interval_csv(const std::string& text, const std::string& where);

// The same rows with each buffer's offset in the column `offset` (added at the end if there is
// none).
std::string format_interval_csv(const IntervalCsv& csv, const IdVector<BufferId, Bytes>& offsets);

// With each buffer's bank in the column `bank` as well.
std::string format_interval_csv(const IntervalCsv& csv, const IdVector<BufferId, Bytes>& offsets,
                                const std::vector<std::string>& banks);

}  // namespace lowtide
