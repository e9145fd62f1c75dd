// The report's static page, embedded at build time (cmake/Embed.cmake) from assets/.
#pragma once

#include <string_view>

namespace lowtide::assets {

extern const std::string_view kReportPage;  // assets/report.html

}  // namespace lowtide::assets
