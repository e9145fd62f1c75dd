#include "lowtide/cli/terminal.h"

#include <cstdarg>
#include <cstdio>
#include <string>

#include "lowtide/base/text.h"

namespace lowtide::cli {
namespace {

std::FILE* printed_to = stdout;

std::string formatted(const char* format, std::va_list values) {
  std::va_list again;
  va_copy(again, values);
  std::string text(static_cast<std::size_t>(std::vsnprintf(nullptr, 0, format, again)), '\0');
  va_end(again);
  std::vsnprintf(text.data(), text.size() + 1, format, values);
  return text;
}

void write(std::FILE* to, std::string_view text) {
  const std::string shown = escaped(text, LineBreaks::kKept);
  std::fwrite(shown.data(), 1, shown.size(), to);
}

}  // namespace

void print_text(std::string_view text) { write(printed_to, text); }

void print(const char* format, ...) {
  std::va_list values;
  va_start(values, format);
  print_text(formatted(format, values));
  va_end(values);
}

void note(const char* format, ...) {
  std::va_list values;
  va_start(values, format);
  write(stderr, formatted(format, values));
  va_end(values);
}

void give_up_standard_output() { printed_to = stderr; }

bool flush_standard_output() { return std::fflush(stdout) == 0 && std::ferror(stdout) == 0; }

}  // namespace lowtide::cli
