// Bad input: the one exception of lowtide.
//
// Thrown only by io, GraphBuilder, LayoutPlanner and option validation. The command line prints
// "where: what" and exits 2; the Python package raises ValueError. The outcome of a search is data,
// never this. The text is one line that a terminal only shows (base/text.h), whatever the file
// holds.
#pragma once

#include <stdexcept>
#include <string>

#include "lowtide/base/text.h"

namespace lowtide {

class InputError : public std::runtime_error {
 public:
  // `where`: the file and/or element ("g.json: node 'relu'"); `what`: the reason, in plain words.
  InputError(const std::string& where, const std::string& what)
      : std::runtime_error(escaped(where.empty() ? what : where + ": " + what)) {}
};

}  // namespace lowtide
