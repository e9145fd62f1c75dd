#include "lowtide/io/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "lowtide/graph/error.h"

namespace lowtide {
namespace {

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() { close(); }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;

  bool is_open() const { return fd_ >= 0; }
  int get() const { return fd_; }
  // Some file systems report a full disk only here.
  bool close() {
    const int fd = std::exchange(fd_, -1);
    return fd < 0 || ::close(fd) == 0;
  }

 private:
  int fd_;
};

[[noreturn]] void fail(const std::string& path, const std::string& action) {
  throw InputError(path, "cannot " + action + ": " + std::strerror(errno));
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

mode_t default_mode() {
  const mode_t mask = ::umask(0);
  ::umask(mask);
  return 0666 & ~mask;
}

using Writer = std::function<void(const TextSink&)>;

void write_pieces(int fd, const std::string& path, const Writer& write) {
  write([&](std::string_view piece) {
    if (!write_all(fd, piece)) fail(path, "write");
  });
}

void write_directly(const std::string& path, const Writer& write) {
  FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file.is_open()) fail(path, "write");
  write_pieces(file.get(), path, write);
  if (!file.close()) fail(path, "write");
}

// A file beside `path` that is gone unless it took its place.
class Replacement {
 public:
  explicit Replacement(const std::string& path)
      : path_(path), name_(path + ".XXXXXX"), file_(::mkstemp(name_.data())) {
    if (!file_.is_open()) fail(path_, "write");
  }
  ~Replacement() {
    if (!name_.empty()) ::unlink(name_.c_str());
  }
  Replacement(const Replacement&) = delete;
  Replacement& operator=(const Replacement&) = delete;

  int fd() const { return file_.get(); }
  void take_place(mode_t mode) {
    if (::fchmod(file_.get(), mode) != 0 || !file_.close() ||
        ::rename(name_.c_str(), path_.c_str()) != 0)
      fail(path_, "write");
    name_.clear();
  }

 private:
  std::string path_;
  std::string name_;
  FileDescriptor file_;
};

// A link is followed: the file it names is replaced, not the link.
std::string resolved(const std::string& path) {
  std::error_code error;
  const auto target = std::filesystem::canonical(path, error);
  return error ? path : target.string();
}

}  // namespace

std::string read_file(const std::string& path) {
  FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) fail(path, "read");
  struct stat info;
  if (::fstat(file.get(), &info) != 0) fail(path, "read");
  std::string text;
  std::size_t size = 0;
  // One byte more than the size known beforehand, so that the end shows without a second round.
  text.resize(static_cast<std::size_t>(S_ISREG(info.st_mode) ? info.st_size : 0) + 1);
  for (;;) {
    const ssize_t count = ::read(file.get(), text.data() + size, text.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(path, "read");
    if (count == 0) break;
    size += static_cast<std::size_t>(count);
    if (size == text.size()) text.resize(2 * text.size() + 4096);
  }
  text.resize(size);
  return text;
}

void write_file_atomically(const std::string& path, const Writer& write) {
  struct stat info;
  const bool exists = ::stat(path.c_str(), &info) == 0;
  if (exists && S_ISDIR(info.st_mode)) {
    errno = EISDIR;
    fail(path, "write");
  }
  if (exists && !S_ISREG(info.st_mode)) return write_directly(path, write);
  const std::string target = exists ? resolved(path) : path;
  if (exists && ::access(target.c_str(), W_OK) != 0) fail(path, "write");
  Replacement file(target);
  write_pieces(file.fd(), path, write);
  file.take_place(exists ? info.st_mode & 07777 : default_mode());
}

void write_file_atomically(const std::string& path, std::string_view text) {
  write_file_atomically(path, [&](const TextSink& sink) { sink(text); });
}

}  // namespace lowtide
