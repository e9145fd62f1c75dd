#include "lowtide/io/csv.h"

#include <algorithm>
#include <utility>

namespace lowtide {
namespace {

constexpr auto kNone = std::string_view::npos;
constexpr std::string_view kBlanks = " \t";

// Where the cell ends that starts at `begin`: at a comma, a line break or the end of `text`. kNone
// if it is quoted and the quote is not closed.
std::size_t cell_end(std::string_view text, std::size_t begin) {
  std::size_t at = text.find_first_not_of(kBlanks, begin);
  if (at != kNone && text[at] == '"') {
    for (++at; (at = text.find('"', at)) != kNone; at += 2)
      if (at + 1 == text.size() || text[at + 1] != '"') break;
    if (at == kNone) return kNone;
  } else {
    at = begin;
  }
  return std::min(text.find_first_of(",\n", at), text.size());
}

std::string_view without_return(std::string_view row) {
  if (!row.empty() && row.back() == '\r') row.remove_suffix(1);
  return row;
}

bool has_quote(std::string_view text) { return text.find('"') != kNone; }

}  // namespace

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(kBlanks);
  if (first == kNone) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::optional<std::string_view> csv_row(std::string_view text, std::size_t begin) {
  std::string_view row = text.substr(begin, text.find('\n', begin) - begin);
  if (!has_quote(row)) return without_return(row);
  std::size_t end = cell_end(text, begin);
  while (end != kNone && end < text.size() && text[end] == ',') end = cell_end(text, end + 1);
  if (end == kNone) return std::nullopt;
  return without_return(text.substr(begin, end - begin));
}

bool CsvCells::read(std::string_view row) {
  cells_.clear();
  unescaped_.clear();
  const bool is_plain = !has_quote(row);
  for (std::size_t begin = 0;;) {
    const std::size_t end =
        is_plain ? std::min(row.find(',', begin), row.size()) : cell_end(row, begin);
    const std::string_view cell = trimmed(row.substr(begin, end - begin));
    if (is_plain || cell.empty() || cell.front() != '"')
      cells_.push_back(cell);
    else if (!add_quoted(cell))
      return false;
    if (end >= row.size()) return true;
    begin = end + 1;
  }
}

bool CsvCells::add_quoted(std::string_view cell) {
  if (cell.size() < 2 || cell.back() != '"') return false;
  const std::string_view inside = cell.substr(1, cell.size() - 2);
  if (!has_quote(inside)) {
    cells_.push_back(inside);
    return true;
  }
  std::string text;
  for (std::size_t at = 0; at < inside.size(); ++at) {
    if (inside[at] == '"' && (++at == inside.size() || inside[at] != '"')) return false;
    text += inside[at];
  }
  cells_.push_back(unescaped_.emplace_front(std::move(text)));
  return true;
}

std::string csv_cell(std::string_view text) {
  const bool is_plain = text.find_first_of(",\"\r\n") == kNone && trimmed(text) == text;
  if (is_plain) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + "\"";
}

}  // namespace lowtide
