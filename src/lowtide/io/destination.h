// Where an output goes that a path names, all links followed.
//
// A link in /proc is not followed: /proc/self/fd/1, which /dev/stdout names, stands for a file that
// is open already, at a place and in a mode of its own (>> appends). The names under it may mean
// another file by now, or none.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>

namespace lowtide {

struct Destination {
  std::string path;
  std::optional<struct stat> existing;  // what is there already, if anything
  bool is_open_file = false;            // `path` is a link in /proc
  std::optional<int> descriptor;        // of ours, if `path` is the link of one
};

// Throws InputError{path, reason}: an empty path, a directory, a loop of links, no such folder.
Destination destination_of(const std::string& path);

// Whether writing to `output` would change the regular file `other`, by whatever name or link; for
// two outputs that are not there yet, whether they would be one file.
bool is_same_file(const std::string& output, const std::string& other);

}  // namespace lowtide
