#include "lowtide/io/reading.h"

#include <algorithm>
#include <numeric>

#include "lowtide/base/text.h"
#include "lowtide/graph/error.h"

namespace lowtide {
namespace {

// More different names than this are no misspelling; whoever wrote them knows by now.
constexpr std::size_t kMostNames = 20;

// Letters to add, drop or change (Levenshtein).
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

std::string guess(std::string_view name, std::span<const std::string_view> known) {
  constexpr std::size_t kLongest = 40;
  if (name.size() > kLongest || known.empty()) return "";
  const auto closest = std::ranges::min(
      known, {}, [&](std::string_view candidate) { return distance(name, candidate); });
  const std::size_t close = name.size() < 6 ? 1 : 2;
  return distance(name, closest) <= close ? "; did you mean " + quote(closest) + "?" : "";
}

}  // namespace

void Remarks::unknown(const std::string& where, const char* what, std::string_view name,
                      std::span<const std::string_view> known) {
  if (!reading_.strict && (!reading_.warn || names_.size() > kMostNames || names_.contains(name)))
    return;
  const std::string text = (where.empty() ? "" : where + ": ") + "unknown " + what + " " +
                           quote(name) + guess(name, known);
  if (reading_.strict) throw InputError(file_, text);
  names_.emplace(name);
  const std::string rest = "and other unknown " + std::string(what) + "s";
  lines_.push_back(escaped(file_ + ": " + (names_.size() > kMostNames ? rest : text)));
}

void Remarks::tell() const {
  for (const std::string& line : lines_) reading_.warn(line);
}

}  // namespace lowtide
