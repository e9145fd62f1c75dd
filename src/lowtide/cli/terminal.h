// The only door to standard output and standard error. What goes through is escaped
// (base/text.h), its line breaks kept: names are escaped whole where they are put into a line.
#pragma once

#include <string_view>

namespace lowtide::cli {

// To standard output, as printf.
[[gnu::format(printf, 1, 2)]] void print(const char* format, ...);

void print_text(std::string_view text);

// To standard error, as printf.
[[gnu::format(printf, 1, 2)]] void note(const char* format, ...);

// From now on `print` goes to standard error: standard output is where a file goes.
void give_up_standard_output();

// False if what was printed could not be written.
bool flush_standard_output();

}  // namespace lowtide::cli
