// Whole files, read and written with one clear error (InputError{path, reason}).
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace lowtide {

// Takes the next piece of a text.
using TextSink = std::function<void(std::string_view)>;

// The file's bytes. Throws InputError if it cannot be read.
std::string read_file(const std::string& path);

// Writes beside `path` and renames, so that `path` holds either its old bytes or all the new ones,
// whatever happens (disk full, interruption). Links are followed; an existing file keeps its owner
// and permissions, and where it has other names (hard links) these keep the old bytes. Written in
// place are devices, pipes and what is open already (/dev/stdout: appended where >> says so), and a
// file that can't be replaced as it is: its folder is read-only, or it is someone else's. Throws
// InputError if it cannot.
void write_file_atomically(const std::string& path, std::string_view text);

// The same for a text too large to be held: `write` is called once and hands over its pieces.
void write_file_atomically(const std::string& path,
                           const std::function<void(const TextSink&)>& write);

// For a signal handler that ends the process: takes away what a write that is under way has put
// beside its file.
void remove_unfinished_file();

}  // namespace lowtide
