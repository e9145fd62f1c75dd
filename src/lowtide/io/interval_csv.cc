#include "lowtide/io/interval_csv.h"

#include <algorithm>
#include <charconv>
#include <map>
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

std::vector<std::string_view> split(std::string_view line, char separator = ',') {
  std::vector<std::string_view> cells;
  for (std::size_t begin = 0;;) {
    const std::size_t end = line.find(separator, begin);
    cells.push_back(trimmed(line.substr(begin, end - begin)));
    if (end == std::string_view::npos) return cells;
    begin = end + 1;
  }
}

// Which column holds what; -1 where it is missing.
struct Columns {
  int id = -1, lower = -1, upper = -1, end = -1, size = -1, alignment = -1, offset = -1;
  int hint = -1, gaps = -1, alias = -1, adjacent = -1, banks = -1;
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
    if (const auto fault = find_fault(csv_)) {
      line_ = line_of_[fault->buffer];
      fail(fault->reason);
    }
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
    const std::pair<const char*, int*> known[] = {{"id", &columns_.id},
                                                  {"buffer", &columns_.id},
                                                  {"buffer_id", &columns_.id},
                                                  {"lower", &columns_.lower},
                                                  {"start", &columns_.lower},
                                                  {"begin", &columns_.lower},
                                                  {"upper", &columns_.upper},
                                                  {"end", &columns_.end},
                                                  {"size", &columns_.size},
                                                  {"alignment", &columns_.alignment},
                                                  {"offset", &columns_.offset},
                                                  {"hint", &columns_.hint},
                                                  {"gaps", &columns_.gaps},
                                                  {"alias", &columns_.alias},
                                                  {"adjacent", &columns_.adjacent},
                                                  {"banks", &columns_.banks}};
    for (const auto& [known_name, column] : known) {
      if (name != known_name) continue;
      if (*column >= 0) fail("the header names column " + quote(name) + " twice");
      *column = at;
    }
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
    Buffer buffer;
    buffer.lifetime.lower = number(cell(columns_.lower), "lower");
    buffer.lifetime.upper = upper_of(cell(columns_.upper), cell(columns_.end));
    buffer.size = number(cell(columns_.size), "size");
    if (!cell(columns_.alignment).empty())
      buffer.alignment = number(cell(columns_.alignment), "alignment");
    if (!cell(columns_.offset).empty())
      buffer.fixed_offset = number(cell(columns_.offset), "offset");
    csv_.ids.emplace_back(columns_.id < 0 ? std::to_string(csv_.ids.size())
                                          : std::string(cell(columns_.id)));
    const BufferId b = csv_.problem.buffers.push_back(buffer);
    line_of_.push_back(line_);
    if (!cell(columns_.hint).empty()) read_hint(cell(columns_.hint), b);
    for (std::string_view gap : split(cell(columns_.gaps), ' '))
      if (!gap.empty()) read_gap(gap, b);
    csv_.banks.push_back({});
    for (std::string_view bank : split(cell(columns_.banks), ' '))
      if (!bank.empty()) csv_.banks[b].emplace_back(bank);
    tie_to(cell(columns_.alias), Tie::kAlias, b, &last_alias_);
    tie_to(cell(columns_.adjacent), Tie::kAdjacent, b, &last_adjacent_);
  }

  // MiniMalloc writes -1 where there is none.
  void read_hint(std::string_view cell, BufferId b) {
    const Bytes hint = number(cell, "hint");
    if (hint >= 0) csv_.hints.push_back({b, hint});
  }

  // lower-upper or lower-upper@window_lower:window_upper.
  void read_gap(std::string_view cell, BufferId b) {
    const auto halves = split(cell, '@');
    const auto life = split(halves[0], '-');
    if (halves.size() > 2 || life.size() != 2) fail_gap(cell);
    Gap gap{.buffer = b, .lifetime = {number(life[0], "gap"), number(life[1], "gap")}};
    if (columns_.upper < 0) gap.lifetime.upper = after(gap.lifetime.upper);
    if (halves.size() == 2) {
      const auto window = split(halves[1], ':');
      if (window.size() != 2) fail_gap(cell);
      gap.window = Window{number(window[0], "window"), number(window[1], "window")};
    }
    csv_.gaps.push_back(gap);
  }

  [[noreturn]] void fail_gap(std::string_view cell) const {
    fail("a gap must be like 7-9 or 7-9@0:64, not " + quote(cell));
  }

  // To the last buffer before it in the group of that name.
  void tie_to(std::string_view group, Tie::Kind kind, BufferId b,
              std::map<std::string, BufferId>* last) {
    if (group.empty()) return;
    const auto [found, is_new] = last->try_emplace(std::string(group), b);
    if (!is_new) csv_.ties.push_back({kind, found->second, b});
    found->second = b;
  }

  Step upper_of(std::string_view upper, std::string_view end) const {
    if (columns_.upper >= 0) return number(upper, "upper");
    return after(number(end, "end"));
  }

  Step after(Step inclusive) const {
    if (inclusive == kMaxBytes) fail("end must be below 2^63 - 1");
    return inclusive + 1;
  }

  std::string where_;
  std::size_t line_ = 0;
  Columns columns_;
  IntervalCsv csv_;
  IdVector<BufferId, std::size_t> line_of_;
  std::map<std::string, BufferId> last_alias_, last_adjacent_;  // by group
};

std::vector<std::string> texts_of(const IdVector<BufferId, Bytes>& offsets) {
  std::vector<std::string> texts;
  for (Bytes offset : offsets) texts.push_back(std::to_string(offset));
  return texts;
}

// The lines with `values` below that name: in its column, or in a new one at the end.
std::vector<std::string> with_column(const std::vector<std::string>& lines, std::string_view name,
                                     const std::vector<std::string>& values) {
  const auto header = split(lines.front());
  const auto column =
      static_cast<std::size_t>(std::find(header.begin(), header.end(), name) - header.begin());
  std::vector<std::string> result;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string_view value = i == 0 ? name : std::string_view(values[i - 1]);
    auto cells = split(lines[i]);
    std::string line;
    if (column == header.size()) {
      line.append(lines[i]).append(",").append(value);
    } else {
      cells[column] = value;
      for (std::size_t c = 0; c < cells.size(); ++c)
        line.append(c == 0 ? "" : ",").append(cells[c]);
    }
    result.push_back(std::move(line));
  }
  return result;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

}  // namespace

IntervalCsv parse_interval_csv(const std::string& text, const std::string& where) {
  return Reader(where).read(text);
}

IntervalCsv load_interval_csv(const std::string& path) {
  return parse_interval_csv(read_file(path), path);
}

std::string format_interval_csv(const IntervalCsv& csv, const IdVector<BufferId, Bytes>& offsets) {
  return joined(with_column(csv.lines, "offset", texts_of(offsets)));
}

std::string format_interval_csv(const IntervalCsv& csv, const IdVector<BufferId, Bytes>& offsets,
                                const std::vector<std::string>& banks) {
  return joined(with_column(with_column(csv.lines, "bank", banks), "offset", texts_of(offsets)));
}

}  // namespace lowtide
