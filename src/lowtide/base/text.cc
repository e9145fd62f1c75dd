#include "lowtide/base/text.h"

#include <array>
#include <cstdio>

namespace lowtide {
namespace {

constexpr std::size_t kLongestName = 120;

// The length of the UTF-8 character that starts there; 0 if there is none.
std::size_t character_at(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(at);
  const std::size_t length = lead < 0x80   ? 1
                             : lead < 0xC2 ? 0
                             : lead < 0xE0 ? 2
                             : lead < 0xF0 ? 3
                                           : 4;
  if (lead > 0xF4 || at + length > text.size()) return 0;
  for (std::size_t i = at + 1; i < at + length; ++i)
    if ((byte(i) & 0xC0) != 0x80) return 0;
  return length;
}

// As it can be printed: control characters and bytes that are no text as \xNN.
std::string escaped(std::string_view text) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = character_at(text, at);
    const auto byte = static_cast<unsigned char>(text[at]);
    if (length > 0 && byte >= 0x20 && byte != 0x7f) {
      result += text.substr(at, length);
      at += length;
      continue;
    }
    std::array<char, 8> code;
    std::snprintf(code.data(), code.size(), "\\x%02x", static_cast<unsigned>(byte));
    result += code.data();
    ++at;
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
