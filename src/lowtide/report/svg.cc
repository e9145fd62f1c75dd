#include "lowtide/report/svg.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <set>

#include "lowtide/base/text.h"
#include "lowtide/report/claims.h"
#include "lowtide/report/labels.h"
#include "lowtide/report/timeline.h"

namespace lowtide {
namespace {

constexpr double kLeft = 84, kRight = 24, kTop = 34, kBottom = 50;
constexpr int kMostTicks = 6;
constexpr std::array<const char*, kNumRoles> kRoleColours = {"#b4bec8", "#a897dc", "#6ea8dc",
                                                             "#f0a45c", "#e37f86", "#e3c45a",
                                                             "#71bf8f", "#b4bec8", "#c7a58a"};

std::string xml(std::string_view text) {
  std::string safe;
  const std::string shown = quote(text);  // one line, no control characters, of bounded length
  for (const char c : std::string_view(shown).substr(1, shown.size() - 2)) {
    if (c == '<')
      safe += "&lt;";
    else if (c == '>')
      safe += "&gt;";
    else if (c == '&')
      safe += "&amp;";
    else if (c == '"')
      safe += "&quot;";
    else
      safe += c;
  }
  return safe;
}

std::string number(double value) {
  std::array<char, 32> text;
  std::snprintf(text.data(), text.size(), "%.2f", value);
  return text.data();
}

const char* phase_colour(std::string_view phase) {
  if (phase == "forward") return "#6ea8dc";
  if (phase == "backward") return "#f0a45c";
  return phase == "optimizer" ? "#71bf8f" : "#b4bec8";
}

// A chart's frame: steps 0..steps from left to right, bytes 0..top from bottom to top.
class Chart {
 public:
  Chart(std::string_view title, ChartSize size, std::size_t steps, Bytes top)
      : size_(size),
        steps_(std::max<double>(1, static_cast<double>(steps))),
        top_(std::max<double>(1, static_cast<double>(top))) {
    text_ = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + std::to_string(size.width) +
            "\" height=\"" + std::to_string(size.height) + "\" viewBox=\"0 0 " +
            std::to_string(size.width) + " " + std::to_string(size.height) +
            "\" font-family=\"Helvetica, Arial, sans-serif\" font-size=\"12\">\n"
            "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
            "<text x=\"" +
            number(kLeft) + "\" y=\"20\" font-size=\"14\" font-weight=\"bold\">" + xml(title) +
            "</text>\n";
  }

  double x(double step) const { return kLeft + step / steps_ * (size_.width - kLeft - kRight); }
  double y(double bytes) const {
    return size_.height - kBottom - bytes / top_ * (size_.height - kTop - kBottom);
  }
  double plot_width() const { return size_.width - kLeft - kRight; }
  double plot_height() const { return size_.height - kTop - kBottom; }

  void add(const std::string& element) { text_ += element + "\n"; }
  void rectangle(double left, double top, double width, double height, const char* fill,
                 const std::string& inside = "") {
    add("<rect x=\"" + number(left) + "\" y=\"" + number(top) + "\" width=\"" + number(width) +
        "\" height=\"" + number(height) + "\" fill=\"" + fill + "\"" +
        (inside.empty() ? "/>" : ">" + inside + "</rect>"));
  }
  void line(double x0, double y0, double x1, double y1, const std::string& style) {
    add("<line x1=\"" + number(x0) + "\" y1=\"" + number(y0) + "\" x2=\"" + number(x1) +
        "\" y2=\"" + number(y1) + "\" " + style + "/>");
  }
  void label(double at_x, double at_y, const char* anchor, const std::string& text) {
    add("<text x=\"" + number(at_x) + "\" y=\"" + number(at_y) + "\" text-anchor=\"" + anchor +
        "\" fill=\"#444\">" + xml(text) + "</text>");
  }
  void axes() {
    double step = 1;
    while (top_ / step > kMostTicks) step *= 2;
    for (double tick = 0; tick <= top_; tick += step) {
      line(kLeft, y(tick), kLeft + plot_width(), y(tick), "stroke=\"#dde3e8\"");
      label(kLeft - 6, y(tick) + 4, "end", format_bytes(static_cast<Bytes>(tick)));
    }
    for (int i = 0; i <= 5; ++i) {
      const double tick = std::floor(steps_ * i / 5);
      label(x(tick), size_.height - kBottom + 18, "middle",
            std::to_string(static_cast<long long>(tick)));
    }
  }
  void legend(const std::vector<std::pair<std::string, std::string>>& entries) {
    double at = kLeft;
    for (const auto& [name, colour] : entries) {
      rectangle(at, size_.height - 18, 11, 11, colour.c_str());
      label(at + 16, size_.height - 8, "start", name);
      at += 34 + 6.6 * static_cast<double>(name.size());
    }
  }
  std::string finished() { return text_ + "</svg>\n"; }

 private:
  ChartSize size_;
  double steps_;
  double top_;
  std::string text_;
};

// A step curve; where several steps share a pixel, their highest and lowest.
std::string path_of(const std::vector<Bytes>& curve, const Chart& chart) {
  const std::size_t stride = std::max<std::size_t>(
      1, static_cast<std::size_t>(static_cast<double>(curve.size()) / chart.plot_width()));
  std::string path;
  for (std::size_t first = 0; first < curve.size(); first += stride) {
    const auto begin = curve.begin() + static_cast<std::ptrdiff_t>(first);
    const auto end =
        curve.begin() + static_cast<std::ptrdiff_t>(std::min(curve.size(), first + stride));
    const auto [low, high] = std::minmax_element(begin, end);
    const std::string left = number(chart.x(static_cast<double>(first)));
    path += (path.empty() ? "M" : "L") + left + " " + number(chart.y(static_cast<double>(*high)));
    if (*low != *high) path += "L" + left + " " + number(chart.y(static_cast<double>(*low)));
    path += "H" + number(chart.x(static_cast<double>(end - curve.begin())));
  }
  return path;
}

void add_curve(Chart* chart, const std::vector<Bytes>& curve, const char* colour,
               const char* width) {
  chart->add("<path d=\"" + path_of(curve, *chart) + "\" fill=\"none\" stroke=\"" + colour +
             "\" stroke-width=\"" + width + "\"/>");
}

void add_phases(Chart* chart, const Timeline& timeline) {
  for (const PhaseSpan& span : timeline.phases) {
    const double left = chart->x(static_cast<double>(span.first));
    chart->rectangle(left, chart->y(0) - 5, chart->x(static_cast<double>(span.last + 1)) - left, 5,
                     phase_colour(span.phase));
  }
}

std::string title_of(const Graph& graph, const std::string& rest) {
  return graph.name().empty() ? rest : graph.name() + ": " + rest;
}

}  // namespace

std::string memory_svg(const Graph& graph, const Plan& plan, ChartSize size) {
  const Timeline before = make_timeline(graph, program_order_of(graph));
  const Timeline after = make_timeline(graph, plan);
  const Bytes top = std::max(before.peak_bytes, after.peak_bytes);
  Chart chart(title_of(graph, "memory over the steps"), size, after.curve.size(),
              static_cast<Bytes>(static_cast<double>(top) * 1.05));
  chart.axes();
  add_phases(&chart, after);
  add_curve(&chart, before.curve, "#8a97a4", "1.3");
  add_curve(&chart, after.curve, "#0a62b8", "2");
  const double bound = chart.y(static_cast<double>(plan.peak_lower_bound_bytes));
  chart.line(kLeft, bound, kLeft + chart.plot_width(), bound,
             "stroke=\"#c01f45\" stroke-dasharray=\"6 4\"");
  std::vector<std::pair<std::string, std::string>> entries = {
      {"program order " + format_bytes(before.peak_bytes), "#8a97a4"},
      {"plan " + format_bytes(after.peak_bytes), "#0a62b8"},
      {"no order below " + format_bytes(plan.peak_lower_bound_bytes) +
           claim_note(plan.peak_bound_is_claim),
       "#c01f45"}};
  std::set<std::string_view> seen;
  for (const PhaseSpan& span : after.phases)
    if (!span.phase.empty() && seen.insert(span.phase).second)
      entries.emplace_back(escaped(span.phase), phase_colour(span.phase));
  chart.legend(entries);
  return chart.finished();
}

std::string addresses_svg(const Graph& graph, const Plan& plan, ChartSize size) {
  const Timeline timeline = make_timeline(graph, plan);
  Chart chart(title_of(graph, "where each tensor lives"), size, timeline.schedule.size(),
              plan.arena_bytes);
  chart.axes();
  std::array<bool, kNumRoles> seen{};
  const auto draw = [&](Interval life, Bytes offset, Bytes bytes, Role role_of_it,
                        const std::string& name) {
    const double left = chart.x(static_cast<double>(life.lower));
    const double width = chart.x(static_cast<double>(life.upper)) - left;
    const double up = chart.y(static_cast<double>(offset + bytes));
    const double height = chart.y(static_cast<double>(offset)) - up;
    if (offset == kNoOffset || width < 0.05 || height < 0.05) return;
    const auto role = static_cast<std::size_t>(role_of_it);
    seen[role] = true;
    const double gap = height > 2 && width > 2 ? 0.4 : 0;
    chart.rectangle(left, up, width - gap, height - gap, kRoleColours[role],
                    "<title>" + xml(name + ", " + format_bytes(bytes)) + "</title>");
  };
  for (TensorId t : timeline.planned)
    draw(timeline.lifetime[t], plan.offsets[t], graph.bytes(t), role_of(graph, t),
         std::string(graph.tensor_name(t)));
  for (NodeId v : timeline.with_workspace)
    draw({timeline.step[v], timeline.step[v] + 1}, plan.workspace_offsets[v],
         graph.workspace_bytes(v), Role::kWorkspace, workspace_name(graph, v));
  std::vector<std::pair<std::string, std::string>> entries;
  for (std::size_t role = 0; role < kNumRoles; ++role)
    if (seen[role]) entries.emplace_back(to_string(static_cast<Role>(role)), kRoleColours[role]);
  chart.legend(entries);
  return chart.finished();
}

}  // namespace lowtide
