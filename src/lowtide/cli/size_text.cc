#include "lowtide/cli/size_text.h"

#include <cctype>
#include <charconv>
#include <cmath>
#include <string_view>

#include "lowtide/base/text.h"
#include "lowtide/graph/error.h"

namespace lowtide::cli {
namespace {

// Bytes in a unit, 0 if there is none of that name.
double unit_bytes(std::string unit) {
  for (char& c : unit) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (unit.empty() || unit == "b") return 1;
  const std::size_t power = std::string_view("kmgt").find(unit[0]);
  if (power == std::string_view::npos) return 0;
  const std::string rest = unit.substr(1);
  if (rest.empty() || rest == "ib") return std::pow(1024, static_cast<double>(power + 1));
  return rest == "b" ? std::pow(1000, static_cast<double>(power + 1)) : 0;
}

}  // namespace

Bytes parse_size(const std::string& text, const std::string& option) {
  Bytes exact = 0;  // a double holds whole numbers up to 2^53 only
  const auto [last, failure] = std::from_chars(text.data(), text.data() + text.size(), exact);
  if (failure == std::errc() && last == text.data() + text.size() && exact >= 0) return exact;
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::size_t used = static_cast<std::size_t>(end - text.data());
  const std::size_t unit = text.find_first_not_of(' ', used);
  const double bytes = number * unit_bytes(unit == std::string::npos ? "" : text.substr(unit));
  const bool is_size = error == std::errc() && bytes >= 0 && bytes < 9e18 && !std::isnan(bytes);
  const bool has_unit = unit == std::string::npos || unit_bytes(text.substr(unit)) > 0;
  if (!is_size || !has_unit)
    throw InputError(option, "must be a size such as 2.1GiB, 800MB or 123456, not " + quote(text));
  return static_cast<Bytes>(bytes);
}

}  // namespace lowtide::cli
