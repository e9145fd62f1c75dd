#include "lowtide/io/destination.h"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>

#include "lowtide/graph/error.h"

namespace lowtide {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxLinks = 40;  // as the kernel follows

[[noreturn]] void fail(const std::string& path, int code) {
  throw InputError(path, std::string("cannot write: ") + std::strerror(code));
}

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

bool is_in_proc(const fs::path& path) {
  std::error_code error;
  const fs::path folder = fs::canonical(folder_of(path), error);
  return !error && std::distance(folder.begin(), folder.end()) > 1 && *++folder.begin() == "proc";
}

bool is_folder(const fs::path& path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

// Follows the last part of the path while it is a link outside /proc.
fs::path without_links(const std::string& path) {
  fs::path at = path;
  for (int links = 0; links <= kMaxLinks; ++links) {
    std::error_code error;
    const fs::path target = fs::read_symlink(at, error);
    if (error || is_in_proc(at)) return at;
    at = folder_of(at) / target;
  }
  fail(path, ELOOP);
}

// N for /proc/self/fd/N, by whatever name.
std::optional<int> own_descriptor(const fs::path& link) {
  std::error_code error;
  const fs::path folder = fs::canonical(folder_of(link), error);
  const bool is_ours = !error && (folder == fs::canonical("/proc/self/fd", error) ||
                                  folder == fs::canonical("/proc/thread-self/fd", error));
  if (!is_ours) return std::nullopt;
  const std::string name = link.filename();
  int number = -1;
  const auto [end, failure] = std::from_chars(name.data(), name.data() + name.size(), number);
  return failure == std::errc() && *end == '\0' ? std::optional(number) : std::nullopt;
}

}  // namespace

Destination destination_of(const std::string& path) {
  if (path.empty()) throw InputError("output", "the path is empty");
  if (path.find('\0') != std::string::npos) fail(path, EINVAL);
  const fs::path at = without_links(path);
  struct stat info;
  if (::stat(at.c_str(), &info) != 0) {
    if (errno != ENOENT || !at.has_filename() || !is_folder(folder_of(at))) fail(path, errno);
    return {.path = at, .existing = {}, .descriptor = {}};
  }
  if (S_ISDIR(info.st_mode)) fail(path, EISDIR);
  const bool is_open_file = fs::is_symlink(fs::symlink_status(at));
  return {.path = at,
          .existing = info,
          .is_open_file = is_open_file,
          .descriptor = is_open_file ? own_descriptor(at) : std::nullopt};
}

bool is_same_file(const std::string& output, const std::string& other) {
  struct stat a, b;
  const bool has_a = ::stat(output.c_str(), &a) == 0;
  const bool has_b = ::stat(other.c_str(), &b) == 0;
  if (has_a && has_b) return S_ISREG(a.st_mode) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
  if (has_a || has_b) return false;
  const fs::path first = destination_of(output).path;
  const fs::path second = destination_of(other).path;
  std::error_code error;
  return first.filename() == second.filename() &&
         fs::equivalent(folder_of(first), folder_of(second), error);
}

}  // namespace lowtide
