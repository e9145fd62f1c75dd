// The files that a command names: what it reads, what it writes.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "lowtide/io/reading.h"

namespace lowtide::cli {

// An option or argument that names a file, or several; an empty name is an error, not an option
// that was left out.
template <class Paths>
CLI::Option* add_file(CLI::App* command, const std::string& name, Paths* paths,
                      const std::string& description) {
  return command->add_option(name, *paths, description)->check([](const std::string& path) {
    return path.empty() ? "the name is empty" : "";
  });
}

// The option --strict, and warnings of the command's readers to standard error.
void add_reading(CLI::App* command, Reading* reading);

// Before any work: throws InputError if an output is an input as well, or two outputs are one file,
// by whatever names and links, or if one can't be written at all. Empty paths are files not asked
// for. An output that is standard output has it for itself (terminal.h).
void claim_outputs(const std::vector<std::string>& inputs, const std::vector<std::string>& outputs);

}  // namespace lowtide::cli
