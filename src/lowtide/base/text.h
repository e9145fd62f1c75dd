// Names in messages: one line, quoted, never longer than a reader wants.
#pragma once

#include <string>
#include <string_view>

namespace lowtide {

// 'name', with control characters escaped and the middle of very long names left out.
std::string quote(std::string_view name);

// `text` with line breaks turned into spaces: an error is one line.
std::string one_line(std::string_view text);

}  // namespace lowtide
