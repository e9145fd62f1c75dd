#include "lowtide/io/interval_csv.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "lowtide/base/text.h"
#include "lowtide/graph/error.h"
#include "lowtide/io/csv.h"
#include "lowtide/io/file.h"
#include "lowtide/model/request_faults.h"

namespace lowtide {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";  // as spreadsheets write it

// The parts of a cell between separators.
std::vector<std::string_view> split(std::string_view cell, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t begin = 0;;) {
    const std::size_t end = cell.find(separator, begin);
    parts.push_back(trimmed(cell.substr(begin, end - begin)));
    if (end == std::string_view::npos) return parts;
    begin = end + 1;
  }
}

// The words of a cell that holds a list.
std::vector<std::string_view> words_of(std::string_view cell) {
  if (cell.empty()) return {};
  std::vector<std::string_view> words = split(cell, ' ');
  std::erase_if(words, [](std::string_view word) { return word.empty(); });
  return words;
}

// Of a row that was read before.
CsvCells cells_of(std::string_view row) {
  CsvCells cells;
  cells.read(row);
  return cells;
}

// Which column holds what; -1 where it is missing.
struct Columns {
  int id = -1, lower = -1, upper = -1, end = -1, size = -1, alignment = -1, offset = -1;
  int hint = -1, gaps = -1, alias = -1, adjacent = -1, may_reuse = -1, banks = -1;
  std::size_t count = 0;
};

struct KnownColumn {
  std::string_view name;
  int Columns::*place;
};

constexpr KnownColumn kColumns[] = {{"id", &Columns::id},
                                    {"buffer", &Columns::id},
                                    {"buffer_id", &Columns::id},
                                    {"lower", &Columns::lower},
                                    {"start", &Columns::lower},
                                    {"begin", &Columns::lower},
                                    {"upper", &Columns::upper},
                                    {"end", &Columns::end},
                                    {"size", &Columns::size},
                                    {"alignment", &Columns::alignment},
                                    {"offset", &Columns::offset},
                                    {"hint", &Columns::hint},
                                    {"gaps", &Columns::gaps},
                                    {"alias", &Columns::alias},
                                    {"adjacent", &Columns::adjacent},
                                    {"may_reuse", &Columns::may_reuse},
                                    {"banks", &Columns::banks}};

// What `report --csv` and `layout --bank` write beside.
constexpr std::string_view kOurNotes[] = {"op", "phase", "part", "module", "bank"};

}  // namespace

class IntervalCsvReader {
 public:
  IntervalCsvReader(std::string text, std::string where, const Reading& reading)
      : where_(std::move(where)), remarks_(where_, reading) {
    csv_.text_ = std::move(text);
  }

  IntervalCsv read() {
    const std::string_view text = csv_.text_;
    const std::size_t mark = text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
    reserve(static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')));
    bool has_header = false;
    for (std::size_t begin = mark; begin < text.size();) {
      const auto row = csv_row(text, begin);
      if (!row) fail("a quote is not closed");
      if (!trimmed(*row).empty()) {
        has_header ? read_row(*row, begin) : read_header(*row, begin);
        has_header = true;
      }
      begin = text.find('\n', begin + row->size());
      begin = begin == std::string_view::npos ? text.size() : begin + 1;
      line_ += 1 + static_cast<std::size_t>(std::count(row->begin(), row->end(), '\n'));
    }
    if (!has_header) throw InputError(where_, "is empty: a header id,lower,upper,size is needed");
    if (columns_.may_reuse >= 0) read_permissions();
    if (const auto fault = find_fault(csv_)) fail_at(fault->buffer, fault->reason);
    remarks_.tell();
    return std::move(csv_);
  }

 private:
  [[noreturn]] void fail(const std::string& reason) const {
    throw InputError(where_ + ": line " + std::to_string(line_), reason);
  }

  [[noreturn]] void fail_at(BufferId b, const std::string& reason) {
    line_ = csv_.line_number(b);
    fail(reason);
  }

  void reserve(std::size_t lines) {
    constexpr std::size_t kShortestRow = 6;  // "0,1,1" and its end: no more for empty lines
    const std::size_t rows = std::min(lines, csv_.text_.size() / kShortestRow);
    csv_.problem.buffers.reserve(rows);
    csv_.row_begin_.reserve(rows);
  }

  void read_header(std::string_view line, std::size_t begin) {
    csv_.header_begin_ = begin;
    split_cells(line);
    columns_.count = cells_.size();
    for (std::size_t i = 0; i < cells_.size(); ++i) name_column(cells_[i], static_cast<int>(i));
    const std::string rest = "; it is " + quote(line);
    if (columns_.lower < 0) fail("the header has no column lower" + rest);
    if (columns_.upper < 0 && columns_.end < 0) fail("the header has no column upper" + rest);
    if (columns_.size < 0) fail("the header has no column size" + rest);
    csv_.id_column_ = columns_.id;
    csv_.banks_column_ = columns_.banks;
  }

  void name_column(std::string_view name, int at) {
    const auto known = std::find_if(std::begin(kColumns), std::end(kColumns),
                                    [&](const KnownColumn& column) { return column.name == name; });
    if (known == std::end(kColumns)) return remark(name);
    int& column = columns_.*known->place;
    if (column >= 0) fail("the header names column " + quote(name) + " twice");
    column = at;
  }

  void remark(std::string_view name) {
    if (std::find(std::begin(kOurNotes), std::end(kOurNotes), name) != std::end(kOurNotes)) return;
    std::vector<std::string_view> names;
    for (const KnownColumn& column : kColumns) names.push_back(column.name);
    remarks_.unknown("", "column", name, names);
  }

  std::int64_t number(std::string_view cell, const char* name) const {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
    if (error != std::errc() || end != cell.data() + cell.size() || cell.empty())
      fail(std::string(name) + " must be a whole number below 2^63, not " + quote(cell));
    return value;
  }

  void split_cells(std::string_view row) {
    if (!cells_.read(row)) fail("text follows the closing quote of a cell");
  }

  void read_row(std::string_view line, std::size_t begin) {
    split_cells(line);
    if (cells_.size() != columns_.count)
      fail("has " + std::to_string(cells_.size()) + " columns, the header " +
           std::to_string(columns_.count));
    const auto cell = [&](int column) {
      return column < 0 ? std::string_view() : cells_[static_cast<std::size_t>(column)];
    };
    Buffer buffer;
    buffer.lifetime.lower = number(cell(columns_.lower), "lower");
    buffer.lifetime.upper = upper_of(cell(columns_.upper), cell(columns_.end));
    buffer.size = number(cell(columns_.size), "size");
    if (!cell(columns_.alignment).empty())
      buffer.alignment = number(cell(columns_.alignment), "alignment");
    if (!cell(columns_.offset).empty())
      buffer.fixed_offset = number(cell(columns_.offset), "offset");
    const BufferId b = csv_.problem.buffers.push_back(buffer);
    csv_.row_begin_.push_back(begin);
    if (!cell(columns_.hint).empty()) read_hint(cell(columns_.hint), b);
    for (std::string_view gap : words_of(cell(columns_.gaps))) read_gap(gap, b);
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
    const std::string_view life = halves[0];
    const std::size_t dash = life.find('-', 1);  // the first may be a sign
    if (halves.size() > 2 || dash == std::string_view::npos ||
        life.find('-', dash + 2) != std::string_view::npos)
      fail_gap(cell);
    Gap gap{.buffer = b,
            .lifetime = {number(trimmed(life.substr(0, dash)), "gap"),
                         number(trimmed(life.substr(dash + 1)), "gap")}};
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

  // Names of buffers, whether above or below.
  void read_permissions() {
    std::unordered_map<std::string, BufferId> named;
    std::unordered_set<std::string> ambiguous;
    for (BufferId b : csv_.problem.buffers.ids())
      if (std::string id = csv_.id(b); !named.try_emplace(id, b).second)
        ambiguous.insert(std::move(id));
    for (BufferId b : csv_.problem.buffers.ids())
      for (const std::string& name : csv_.words(b, columns_.may_reuse)) {
        const auto found = named.find(name);
        if (found == named.end()) fail_at(b, "may_reuse: there is no buffer " + quote(name));
        if (ambiguous.contains(name))
          fail_at(b, "may_reuse: two buffers are called " + quote(name));
        csv_.may_reuse.push_back({b, found->second});
      }
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
  Remarks remarks_;
  std::size_t line_ = 1;  // where the row at hand begins
  Columns columns_;
  IntervalCsv csv_;
  CsvCells cells_;                                              // of the row at hand
  std::map<std::string, BufferId> last_alias_, last_adjacent_;  // by group
};

namespace {

// The column of each answer in the header; its size where there is none.
std::vector<std::size_t> columns_of(std::span<const AnswerColumn> answers, const CsvCells& header) {
  std::vector<std::size_t> columns;
  for (const AnswerColumn& answer : answers) {
    std::size_t column = 0;
    while (column < header.size() && header[column] != answer.name) ++column;
    columns.push_back(column);
  }
  return columns;
}

class AnswerWriter {
 public:
  AnswerWriter(std::string_view header, std::span<const AnswerColumn> answers, const TextSink& sink)
      : sink_(sink), columns_(columns_of(answers, cells_of(header))), values_(answers.size()) {
    const std::size_t width = cells_of(header).size();
    is_row_kept_ = std::all_of(columns_.begin(), columns_.end(),
                               [&](std::size_t column) { return column == width; });
  }

  std::string& value(std::size_t answer) { return values_[answer]; }

  void write(std::string_view row) {
    if (is_row_kept_)
      pending_.append(row);
    else
      add_with_replaced(row);
    for (std::size_t i = 0; i < values_.size(); ++i)
      if (is_row_kept_ || columns_[i] == cells_.size()) pending_.append(",").append(values_[i]);
    pending_.append("\n");
    if (pending_.size() >= kPiece) flush();
  }

  void flush() {
    sink_(pending_);
    pending_.clear();
  }

 private:
  static constexpr std::size_t kPiece = 1 << 16;

  void add_with_replaced(std::string_view row) {
    cells_.read(row);
    for (std::size_t c = 0; c < cells_.size(); ++c) {
      const auto answer = std::find(columns_.begin(), columns_.end(), c);
      pending_.append(c == 0 ? "" : ",")
          .append(answer == columns_.end()
                      ? csv_cell(cells_[c])
                      : values_[static_cast<std::size_t>(answer - columns_.begin())]);
    }
  }

  const TextSink& sink_;
  std::vector<std::size_t> columns_;
  std::vector<std::string> values_;
  bool is_row_kept_;
  CsvCells cells_;
  std::string pending_;
};

}  // namespace

std::string_view IntervalCsv::header() const { return *csv_row(text_, header_begin_); }

std::string_view IntervalCsv::row(BufferId b) const { return *csv_row(text_, row_begin_[b]); }

std::string IntervalCsv::id(BufferId b) const {
  if (id_column_ < 0) return std::to_string(b.index());
  return std::string(cells_of(row(b))[static_cast<std::size_t>(id_column_)]);
}

std::vector<std::string> IntervalCsv::banks(BufferId b) const { return words(b, banks_column_); }

std::vector<std::string> IntervalCsv::words(BufferId b, int column) const {
  if (column < 0) return {};
  const CsvCells cells = cells_of(row(b));
  const auto views = words_of(cells[static_cast<std::size_t>(column)]);
  return {views.begin(), views.end()};
}

std::size_t IntervalCsv::line_number(BufferId b) const {
  const auto end = text_.begin() + static_cast<std::ptrdiff_t>(row_begin_[b]);
  return 1 + static_cast<std::size_t>(std::count(text_.begin(), end, '\n'));
}

IntervalCsv parse_interval_csv(std::string text, const std::string& where, const Reading& reading) {
  return IntervalCsvReader(std::move(text), where, reading).read();
}

IntervalCsv load_interval_csv(const std::string& path, const Reading& reading) {
  return parse_interval_csv(read_file(path), path, reading);
}

void write_interval_csv(const IntervalCsv& csv, std::span<const AnswerColumn> columns,
                        const TextSink& sink) {
  AnswerWriter writer(csv.header(), columns, sink);
  for (std::size_t i = 0; i < columns.size(); ++i) writer.value(i) = columns[i].name;
  writer.write(csv.header());
  for (BufferId b : csv.problem.buffers.ids()) {
    for (std::size_t i = 0; i < columns.size(); ++i) writer.value(i) = columns[i].value(b);
    writer.write(csv.row(b));
  }
  writer.flush();
}

}  // namespace lowtide
