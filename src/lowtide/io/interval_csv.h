// Buffers as CSV, MiniMalloc's format: a header and a row a buffer; cells may be quoted (io/csv.h).
//
//   id,lower,upper,size[,alignment][,offset][,hint][,gaps][,alias][,adjacent][,may_reuse]
//     [,banks]...
//
// Any column order; other columns are carried through, with a remark (io/reading.h) unless lowtide
// writes them itself. Lifetimes are half-open steps [lower,
// upper). `start` or `begin` stand for lower, and `end` for an inclusive upper (upper = end + 1, in
// gaps as well). An `offset` that is not empty is fixed; a `hint` that is not negative is tried.
//
//   gaps       "7-9 12-14@2:13": holds nothing in [7, 9), and of its bytes only [2, 13) in [12, 14)
//   alias      buffers with the same name here share an offset, and their bytes
//   adjacent   buffers with the same name here stand one above the other, in the order of the file
//   may_reuse  "b3 b7": if it helps, it shares an offset with one of these buffers, and its bytes
//   banks      "SRAM PSRAM": the memories it may live in; empty: in any
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lowtide/io/file.h"
#include "lowtide/io/reading.h"
#include "lowtide/model/layout_request.h"

namespace lowtide {

// The request, and the file it came from as one text: names are looked up in it, for a million
// strings of their own would take more memory than all the rest.
class IntervalCsv : public LayoutRequest {
 public:
  // By buffer; its row number where there is no id column.
  std::string id(BufferId b) const;
  // The memories it may live in; empty: in any.
  std::vector<std::string> banks(BufferId b) const;

  std::string_view header() const;
  // Without its line end.
  std::string_view row(BufferId b) const;
  // Counting from 1.
  std::size_t line_number(BufferId b) const;

 private:
  friend class IntervalCsvReader;
  // What a cell lists; nothing where there is no such column.
  std::vector<std::string> words(BufferId b, int column) const;

  std::string text_;
  std::size_t header_begin_ = 0;
  IdVector<BufferId, std::size_t> row_begin_;
  int id_column_ = -1;  // none
  int banks_column_ = -1;
};

// Throws InputError with file, line and reason.
IntervalCsv load_interval_csv(const std::string& path, const Reading& reading = {});
IntervalCsv parse_interval_csv(std::string text, const std::string& where,
                               const Reading& reading = {});

// A column for the answer: it replaces that of its name, or stands at the end.
struct AnswerColumn {
  std::string_view name;
  std::function<std::string(BufferId)> value;
};

// The same rows with the answer, piece by piece.
void write_interval_csv(const IntervalCsv& csv, std::span<const AnswerColumn> columns,
                        const TextSink& sink);

}  // namespace lowtide
