#include "lowtide/mip/lp_text.h"

#include <cctype>
#include <cstdio>
#include <unordered_set>

#include "lowtide/base/text.h"

namespace lowtide::mip {
namespace {

constexpr std::size_t kTermsInALine = 4;  // the format limits the length of a line

// Letters, digits and '_' after a letter, each name once.
class Names {
 public:
  std::string add(const std::string& name) {
    std::string safe =
        name.empty() || !std::isalpha(static_cast<unsigned char>(name[0])) ? "x" + name : name;
    for (char& c : safe)
      if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
    std::string once = safe;
    for (int i = 2; !taken_.insert(once).second; ++i) once = safe + "_" + std::to_string(i);
    return once;
  }

 private:
  std::unordered_set<std::string> taken_;
};

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.17g", value);
  return text;
}

class Writer {
 public:
  Writer(const Model& model, const std::string& title) : model_(model) {
    text_ = "\\ " + escaped(title) + "\n";
    Names names;
    for (const Variable& variable : model.variables) columns_.push_back(names.add(variable.name));
  }

  std::string write() {
    write_objective();
    write_rows();
    write_bounds();
    write_integers();
    text_ += "End\n";
    return std::move(text_);
  }

 private:
  const std::string& name(Column column) const {
    return columns_[static_cast<std::size_t>(column)];
  }

  void write_terms(const Terms& terms) {
    for (std::size_t i = 0; i < terms.size(); ++i) {
      const auto& [column, coefficient] = terms[i];
      if (i > 0 && i % kTermsInALine == 0) text_ += "\n   ";
      text_ += coefficient < 0 ? " - " : i > 0 ? " + " : " ";
      const double size = coefficient < 0 ? -coefficient : coefficient;
      if (size != 1) text_ += number(size) + " ";
      text_ += name(column);
    }
  }

  void write_objective() {
    Terms terms;
    for (std::size_t i = 0; i < model_.variables.size(); ++i)
      if (model_.variables[i].objective != 0)
        terms.emplace_back(static_cast<Column>(i), model_.variables[i].objective);
    text_ += "Minimize\n objective:";
    write_terms(terms);
    text_ += "\n";
  }

  void write_row(const std::string& name, const Terms& terms, const char* sense, double side) {
    text_ += " " + name + ":";
    write_terms(terms);
    text_ += sense + number(side) + "\n";
  }

  void write_rows() {
    text_ += "Subject To\n";
    Names names;
    for (const Row& row : model_.rows) {
      if (row.terms.empty()) continue;
      const bool has_lower = row.lower > -kInfinity, has_upper = row.upper < kInfinity;
      if (has_lower && has_upper && row.lower == row.upper) {
        write_row(names.add(row.name), row.terms, " = ", row.lower);
        continue;
      }
      if (has_upper) write_row(names.add(row.name), row.terms, " <= ", row.upper);
      if (has_lower) write_row(names.add(row.name), row.terms, " >= ", row.lower);
    }
  }

  // Without a line here a variable is at least 0, and at most 1 if it is listed under Binary.
  void write_bounds() {
    text_ += "Bounds\n";
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const Variable& variable = model_.variables[i];
      if (is_binary(variable) || (variable.lower == 0 && variable.upper == kInfinity)) continue;
      if (variable.lower == variable.upper) {
        text_ += " " + columns_[i] + " = " + number(variable.lower) + "\n";
        continue;
      }
      const std::string least = variable.lower == -kInfinity ? "-inf" : number(variable.lower);
      text_ += " " + least + " <= " + columns_[i];
      if (variable.upper < kInfinity) text_ += " <= " + number(variable.upper);
      text_ += "\n";
    }
  }

  static bool is_binary(const Variable& variable) {
    return variable.integral && variable.lower == 0 && variable.upper == 1;
  }

  void write_integers() {
    write_section("General\n", [](const Variable& v) { return v.integral && !is_binary(v); });
    write_section("Binary\n", is_binary);
  }
  template <class Belongs>
  void write_section(const char* title, const Belongs& belongs) {
    bool any = false;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (!belongs(model_.variables[i])) continue;
      if (!any) text_ += title;
      any = true;
      text_ += " " + columns_[i] + "\n";
    }
  }

  const Model& model_;
  std::vector<std::string> columns_;
  std::string text_;
};

}  // namespace

std::string lp_text(const Model& model, const std::string& title) {
  return Writer(model, title).write();
}

}  // namespace lowtide::mip
