// How strictly a file is read, and what is said about what was not understood in it.
#pragma once

#include <functional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lowtide {

// A field or column that a reader does not know is passed over: it may be of a later version, or
// misspelt.
struct Reading {
  // Then it is an InputError; so is, in a graph, a read that a write may overtake
  // (graph/mutation_order.h).
  bool strict = false;
  // Else it is given a line, once a name; without a `warn`, nobody is told.
  std::function<void(const std::string&)> warn = {};
};

// What one file's reader has to remark, told once the file has been read: of one that is refused,
// the reason is all that counts.
class Remarks {
 public:
  Remarks(std::string file, Reading reading)
      : file_(std::move(file)), reading_(std::move(reading)) {}

  // `where`: the element ("node 'relu'"), or "". `what`: "field" or "column".
  void unknown(const std::string& where, const char* what, std::string_view name,
               std::span<const std::string_view> known);
  void tell() const;

 private:
  std::string file_;
  Reading reading_;
  std::set<std::string, std::less<>> names_;
  std::vector<std::string> lines_;
};

}  // namespace lowtide
