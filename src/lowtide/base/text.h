// Text that may be shown: whatever a file or an argument holds, a terminal only shows it.
#pragma once

#include <string>
#include <string_view>

namespace lowtide {

enum class LineBreaks { kEscaped, kKept };

// `text` with all escaped that a terminal would act on instead of showing it: control characters
// (C0, DEL, C1: \x1b, \u009b), those that turn the direction of writing, line separators, and bytes
// that are no UTF-8. Everything that lowtide prints and every error comes through here; a second
// time changes nothing.
std::string escaped(std::string_view text, LineBreaks breaks = LineBreaks::kEscaped);

// 'name', escaped, with the middle of very long names left out.
std::string quote(std::string_view name);

}  // namespace lowtide
