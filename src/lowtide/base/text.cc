#include "lowtide/base/text.h"

#include <array>
#include <cstdio>

namespace lowtide {
namespace {

constexpr std::size_t kLongestName = 120;

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) {
      result += c;
      continue;
    }
    std::array<char, 8> code;
    std::snprintf(code.data(), code.size(), "\\x%02x",
                  static_cast<unsigned>(static_cast<unsigned char>(c)));
    result += code.data();
  }
  return result;
}

// Whether `text[at]` continues a UTF-8 sequence: never cut there.
bool continues_character(std::string_view text, std::size_t at) {
  return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80;
}

}  // namespace

std::string quote(std::string_view name) {
  if (name.size() <= kLongestName) return "'" + escaped(name) + "'";
  std::size_t head = kLongestName / 2;
  std::size_t tail = name.size() - kLongestName / 2;
  while (head > 0 && continues_character(name, head)) --head;
  while (continues_character(name, tail)) ++tail;
  return "'" + escaped(name.substr(0, head)) + "…" + escaped(name.substr(tail)) + "'";
}

std::string one_line(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c == '\n' || c == '\r') c = ' ';
  return result;
}

}  // namespace lowtide
