#include "lowtide/io/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "lowtide/graph/error.h"
#include "lowtide/io/destination.h"

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

// What is open already keeps its place and its mode: nothing that stands before is lost.
int open_in_place(const Destination& destination) {
  if (destination.descriptor) return ::fcntl(*destination.descriptor, F_DUPFD_CLOEXEC, 0);
  const int start = destination.is_open_file                 ? O_APPEND
                    : S_ISREG(destination.existing->st_mode) ? O_TRUNC
                                                             : 0;
  return ::open(destination.path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY | start);
}

void write_in_place(const std::string& path, const Destination& destination, const Writer& write) {
  FileDescriptor file(open_in_place(destination));
  if (!file.is_open()) fail(path, "write");
  write_pieces(file.get(), path, write);
  if (!file.close()) fail(path, "write");
}

// The name of a Replacement that is not in its place yet.
std::atomic<const char*> unfinished = nullptr;
static_assert(std::atomic<const char*>::is_always_lock_free);

// A file beside `replaced` that is gone unless it took its place.
class Replacement {
 public:
  explicit Replacement(const std::filesystem::path& replaced)
      : replaced_(replaced),
        name_(std::filesystem::path(replaced).replace_filename(".lowtide-XXXXXX")),
        file_(make()),
        is_there_(file_.is_open()) {}
  ~Replacement() {
    if (is_there_) ::unlink(name_.c_str());
    unfinished = nullptr;
  }
  Replacement(const Replacement&) = delete;
  Replacement& operator=(const Replacement&) = delete;

  bool is_there() const { return is_there_; }
  int fd() const { return file_.get(); }
  // Whether it may have the owner, the group and the permissions of `old`.
  bool take_after(const struct stat& old) {
    struct stat own;
    if (::fstat(fd(), &own) != 0) return false;
    const bool has_owner = own.st_uid == old.st_uid && own.st_gid == old.st_gid;
    if (!has_owner && ::fchown(fd(), old.st_uid, old.st_gid) != 0) return false;
    return ::fchmod(fd(), old.st_mode & 07777) == 0;
  }
  bool take_place() {
    if (!file_.close() || ::rename(name_.c_str(), replaced_.c_str()) != 0) return false;
    unfinished = nullptr;
    is_there_ = false;
    return true;
  }

 private:
  int make() {
    unfinished = name_.c_str();
    return ::mkstemp(name_.data());
  }

  std::filesystem::path replaced_;
  std::string name_;
  FileDescriptor file_;
  bool is_there_;
};

// False, with nothing written, where a new file can't stand for the old one: no file may be made
// beside it, or not one of its owner.
bool replace(const std::string& path, const Destination& destination, const Writer& write) {
  Replacement file(destination.path);
  const auto& old = destination.existing;
  if (!file.is_there() || (old && !file.take_after(*old))) {
    if (old) return false;
    fail(path, "write");
  }
  if (!old && ::fchmod(file.fd(), default_mode()) != 0) fail(path, "write");
  write_pieces(file.fd(), path, write);
  if (!file.take_place()) fail(path, "write");
  return true;
}

}  // namespace

std::string read_file(const std::string& path) {
  if (path.find('\0') != std::string::npos) {
    errno = EINVAL;
    fail(path, "read");
  }
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

void remove_unfinished_file() {
  if (const char* name = unfinished) ::unlink(name);
}

void write_file_atomically(const std::string& path, const Writer& write) {
  const Destination destination = destination_of(path);
  const auto& old = destination.existing;
  const bool is_file = !destination.is_open_file && (!old || S_ISREG(old->st_mode));
  if (is_file && old && ::access(destination.path.c_str(), W_OK) != 0) fail(path, "write");
  if (is_file && replace(path, destination, write)) return;
  write_in_place(path, destination, write);
}

void write_file_atomically(const std::string& path, std::string_view text) {
  write_file_atomically(path, [&](const TextSink& sink) { sink(text); });
}

}  // namespace lowtide
