// The files the report page is made of, embedded at build time (cmake/Embed.cmake).
#pragma once

#include <string_view>

namespace lowtide::assets {

extern const std::string_view kPage;           // assets/page.html
extern const std::string_view kStyles;         // assets/report.css
extern const std::string_view kScript;         // assets/*.js, one after the other
extern const std::string_view kLibraryStyles;  // third_party/report
extern const std::string_view kLibraries;
extern const std::string_view kLicenses;

}  // namespace lowtide::assets
