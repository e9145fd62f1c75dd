#include "lowtide/base/text.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace lowtide {
namespace {

constexpr std::size_t kLongestName = 120;

struct Character {
  char32_t code;
  std::size_t length;  // in bytes; 0: these bytes are no UTF-8
};

// The character that starts at `text[at]`. No overlong forms, no surrogates, none above U+10FFFF.
Character character_at(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(at);
  if (lead < 0x80) return {lead, 1};
  const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (lead < 0xC2 || lead > 0xF4 || at + length > text.size()) return {0, 0};
  char32_t code = lead & (0x7F >> length);
  for (std::size_t i = at + 1; i < at + length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {0, 0};
    code = code << 6 | (byte(i) & 0x3F);
  }
  const char32_t least = length == 2 ? 0x80 : length == 3 ? 0x800 : 0x10000;
  const bool is_one = code >= least && code <= 0x10FFFF && !(code >= 0xD800 && code <= 0xDFFF);
  return is_one ? Character{code, length} : Character{0, 0};
}

// Whether a terminal does anything else with it than showing it.
bool is_control(char32_t code) {
  return code < 0x20 || (code >= 0x7F && code <= 0x9F) ||  // C0, DEL, C1
         code == 0x061C || code == 0x200E || code == 0x200F ||
         (code >= 0x2028 && code <= 0x202E) ||  // line ends, and directions as before and after
         (code >= 0x2066 && code <= 0x2069);
}

std::string escape_of(const char* format, unsigned value) {
  std::array<char, 12> code;
  std::snprintf(code.data(), code.size(), format, value);
  return code.data();
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

std::string escaped(std::string_view text, LineBreaks breaks) {
  std::string result;
  std::size_t shown = 0;  // all before it is in `result`
  for (std::size_t at = 0; at < text.size();) {
    const auto [code, length] = character_at(text, at);
    const std::size_t end = at + std::max<std::size_t>(1, length);
    const bool is_kept = code == '\n' && breaks == LineBreaks::kKept;
    if (length == 0 || (is_control(code) && !is_kept)) {
      result.append(text, shown, at - shown);
      result += code < 0x80 ? escape_of("\\x%02x", static_cast<unsigned char>(text[at]))
                            : escape_of("\\u%04x", static_cast<unsigned>(code));
      shown = end;
    }
    at = end;
  }
  return result.append(text, shown);
}

}  // namespace lowtide
