#include "lowtide/io/interval_csv.h"

#include <charconv>
#include <optional>
#include <string_view>

#include "lowtide/base/text.h"
#include "lowtide/graph/error.h"
#include "lowtide/io/file.h"

namespace lowtide {
namespace {

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::vector<std::string_view> split(std::string_view line) {
  std::vector<std::string_view> cells;
  for (std::size_t begin = 0;;) {
    const std::size_t end = line.find(',', begin);
    cells.push_back(trimmed(line.substr(begin, end - begin)));
    if (end == std::string_view::npos) return cells;
    begin = end + 1;
  }
}

// Which column holds what; -1 where it is missing.
struct Columns {
  int id = -1, lower = -1, upper = -1, end = -1, size = -1, alignment = -1, offset = -1, gaps = -1;
  std::size_t count = 0;
};

class Reader {
 public:
  explicit Reader(std::string where) : where_(std::move(where)) {}

  IntervalCsv read(const std::string& text) {
    for (std::size_t begin = 0; begin < text.size();) {
      std::size_t end = text.find('\n', begin);
      if (end == std::string::npos) end = text.size();
      std::string_view line = std::string_view(text).substr(begin, end - begin);
      if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
      begin = end + 1;
      ++line_;
      if (trimmed(line).empty()) continue;
      csv_.lines.size() == 0 ? read_header(line) : read_row(line);
      csv_.lines.emplace_back(line);
    }
    if (csv_.lines.empty())
      throw InputError(where_, "is empty: a header id,lower,upper,size is needed");
    return std::move(csv_);
  }

 private:
  [[noreturn]] void fail(const std::string& reason) const {
    throw InputError(where_ + ": line " + std::to_string(line_), reason);
  }

  void read_header(std::string_view line) {
    const auto names = split(line);
    columns_.count = names.size();
    for (std::size_t i = 0; i < names.size(); ++i) name_column(names[i], static_cast<int>(i));
    if (columns_.lower < 0) fail("the header has no column lower");
    if (columns_.upper < 0 && columns_.end < 0) fail("the header has no column upper");
    if (columns_.size < 0) fail("the header has no column size");
  }

  void name_column(std::string_view name, int at) {
    int* column = nullptr;
    if (name == "id" || name == "buffer" || name == "buffer_id") column = &columns_.id;
    if (name == "lower" || name == "start") column = &columns_.lower;
    if (name == "upper") column = &columns_.upper;
    if (name == "end") column = &columns_.end;
    if (name == "size") column = &columns_.size;
    if (name == "alignment") column = &columns_.alignment;
    if (name == "offset") column = &columns_.offset;
    if (name == "gaps") column = &columns_.gaps;
    if (column == nullptr) return;
    if (*column >= 0) fail("the header names column " + quote(name) + " twice");
    *column = at;
  }

  std::int64_t number(std::string_view cell, const char* name) const {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
    if (error != std::errc() || end != cell.data() + cell.size() || cell.empty())
      fail(std::string(name) + " must be a whole number below 2^63, not " + quote(cell));
    return value;
  }

  void read_row(std::string_view line) {
    const auto cells = split(line);
    if (cells.size() != columns_.count)
      fail("has " + std::to_string(cells.size()) + " columns, the header " +
           std::to_string(columns_.count));
    const auto cell = [&](int column) {
      return column < 0 ? std::string_view() : cells[static_cast<std::size_t>(column)];
    };
    if (!cell(columns_.gaps).empty()) fail("gaps are not supported");
    Buffer buffer;
    buffer.lifetime.lower = number(cell(columns_.lower), "lower");
    buffer.lifetime.upper = upper_of(cell(columns_.upper), cell(columns_.end));
    buffer.size = number(cell(columns_.size), "size");
    if (!cell(columns_.alignment).empty())
      buffer.alignment = number(cell(columns_.alignment), "alignment");
    if (!cell(columns_.offset).empty())
      buffer.fixed_offset = number(cell(columns_.offset), "offset");
    check(buffer);
    csv_.ids.emplace_back(columns_.id < 0 ? std::to_string(csv_.ids.size())
                                          : std::string(cell(columns_.id)));
    csv_.problem.buffers.push_back(buffer);
  }

  Step upper_of(std::string_view upper, std::string_view end) const {
    if (columns_.upper >= 0) return number(upper, "upper");
    const Step inclusive = number(end, "end");
    if (inclusive == kMaxBytes) fail("end must be below 2^63 - 1");
    return inclusive + 1;
  }

  void check(const Buffer& buffer) {
    if (buffer.lifetime.lower > buffer.lifetime.upper) fail("lower is above upper");
    if (buffer.size < 0) fail("size is negative");
    if (buffer.alignment < 1) fail("alignment must be at least 1");
    if (buffer.fixed_offset && *buffer.fixed_offset < 0) fail("offset is negative");
    // Every offset a solver can come to is below this sum.
    Bytes padded = 0;
    if (!align_up_fits(buffer.size, buffer.alignment, &padded) || !add_fits(sum_, padded, &sum_) ||
        !add_fits(sum_, buffer.alignment, &sum_) ||
        !add_fits(sum_, buffer.fixed_offset.value_or(0), &sum_))
      fail("the sum of all sizes exceeds 2^63 - 1");
  }

  std::string where_;
  std::size_t line_ = 0;
  Columns columns_;
  IntervalCsv csv_;
  Bytes sum_ = 0;
};

}  // namespace

IntervalCsv parse_interval_csv(const std::string& text, const std::string& where) {
  return Reader(where).read(text);
}

IntervalCsv load_interval_csv(const std::string& path) {
  return parse_interval_csv(read_file(path), path);
}

std::string format_interval_csv(const IntervalCsv& csv, const IdVector<BufferId, Bytes>& offsets) {
  const auto header = split(csv.lines.front());
  std::size_t column = 0;
  while (column < header.size() && header[column] != "offset") ++column;
  const bool append = column == header.size();
  std::string text = csv.lines.front() + (append ? ",offset\n" : "\n");
  for (BufferId b : offsets.ids()) {
    const std::string& line = csv.lines[b.index() + 1];
    const std::string offset = std::to_string(offsets[b]);
    if (append) {
      text += line + "," + offset + "\n";
      continue;
    }
    const auto cells = split(line);
    for (std::size_t i = 0; i < cells.size(); ++i) {
      text += i == column ? std::string_view(offset) : cells[i];
      text += i + 1 < cells.size() ? "," : "\n";
    }
  }
  return text;
}

}  // namespace lowtide
