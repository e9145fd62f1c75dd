#include "lowtide/report/html.h"

#include <utility>

#include "lowtide/base/check.h"
#include "lowtide/report/assets.h"

namespace lowtide {
namespace {

// Text that may stand in an HTML script element: nothing in it can look like a tag.
std::string script_safe(const std::string& json) {
  std::string safe;
  safe.reserve(json.size());
  for (const char c : json) {
    if (c == '<')
      safe += "\\u003c";
    else if (c == '>')
      safe += "\\u003e";
    else
      safe += c;
  }
  return safe;
}

// Replaces each {{name}} of the page in one pass, so that nothing inside a part is looked at again.
std::string filled_page(std::span<const std::pair<std::string_view, std::string_view>> parts) {
  std::string result;
  std::string_view rest = assets::kPage;
  for (const auto& [mark, text] : parts) {
    const std::size_t place = rest.find(mark);
    LOWTIDE_CHECK(place != std::string_view::npos, "the report page lacks a mark");
    result.append(rest.substr(0, place)).append(text);
    rest.remove_prefix(place + mark.size());
  }
  return result.append(rest);
}

}  // namespace

std::string html_report(const Graph& graph, std::span<const ReportPlan> plans) {
  const std::string data = script_safe(report_json(graph, plans));
  const std::pair<std::string_view, std::string_view> parts[] = {
      {"{{library styles}}", assets::kLibraryStyles},
      {"{{styles}}", assets::kStyles},
      {"{{licenses}}", assets::kLicenses},
      {"{{data}}", data},
      {"{{libraries}}", assets::kLibraries},
      {"{{script}}", assets::kScript}};
  return filled_page(parts);
}

std::string html_report(const Graph& graph, const Plan& plan) {
  const ReportPlan shown{"the plan", &plan};
  return html_report(graph, std::span(&shown, 1));
}

}  // namespace lowtide
