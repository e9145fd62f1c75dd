// CSV as RFC 4180 has it, a row at a time: a cell in double quotes may hold commas, line breaks and
// quotes (doubled). Blanks around a cell do not count, those within quotes do; a quote further on
// in a cell is an ordinary character.
#pragma once

#include <forward_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lowtide {

// `text` without the blanks and tabs around it.
std::string_view trimmed(std::string_view text);

// The row of `text` that starts at `begin`, without its line end; nothing if a quote in it is not
// closed.
std::optional<std::string_view> csv_row(std::string_view text, std::size_t begin);

// The cells of one row, without their quotes. Views into the row or into this object.
class CsvCells {
 public:
  CsvCells() = default;
  CsvCells(CsvCells&&) = default;
  CsvCells& operator=(CsvCells&&) = default;

  // False if text follows a closing quote.
  bool read(std::string_view row);

  std::size_t size() const { return cells_.size(); }
  std::string_view operator[](std::size_t column) const { return cells_[column]; }

 private:
  bool add_quoted(std::string_view cell);

  std::vector<std::string_view> cells_;
  std::forward_list<std::string> unescaped_;  // the few with doubled quotes
};

// `text` as a cell that is read back as it is; in quotes where it must be.
std::string csv_cell(std::string_view text);

}  // namespace lowtide
