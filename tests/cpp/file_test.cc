#include "lowtide/io/file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <functional>
#include <thread>

#include "lowtide/graph/error.h"
#include "lowtide/io/destination.h"

namespace lowtide {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

class FileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "lowtide-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::size_t num_files() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_), {}));
  }

  fs::path folder_;
};

TEST_F(FileTest, WritesAndReadsBack) {
  const std::string text(100000, 'x');
  write_file_atomically(path("a"), text);
  EXPECT_EQ(read_file(path("a")), text);
  write_file_atomically(path("a"), "");
  EXPECT_EQ(read_file(path("a")), "");
  EXPECT_EQ(num_files(), 1u);
}

TEST_F(FileTest, KeepsPermissionsAndFollowsLinks) {
  write_file_atomically(path("a"), "old");
  ::chmod(path("a").c_str(), 0640);
  fs::create_symlink(path("a"), path("link"));
  write_file_atomically(path("link"), "new");
  EXPECT_TRUE(fs::is_symlink(path("link")));
  EXPECT_EQ(read_file(path("a")), "new");
  struct stat info;
  ASSERT_EQ(::stat(path("a").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0640u);
}

TEST_F(FileTest, FollowsLinksOfEveryKind) {
  fs::create_directory(path("folder"));
  fs::create_symlink("folder/new", path("dangling"));
  fs::create_symlink("dangling", path("again"));
  write_file_atomically(path("again"), "new");
  EXPECT_EQ(read_file(path("folder/new")), "new");
  EXPECT_TRUE(fs::is_symlink(path("again")) && fs::is_symlink(path("dangling")));
  fs::create_symlink("loop", path("loop"));
  EXPECT_THROW(write_file_atomically(path("loop"), "x"), InputError);
  fs::create_symlink("folder", path("to_folder"));
  EXPECT_THROW(write_file_atomically(path("to_folder"), "x"), InputError);
  fs::create_symlink("none/new", path("nowhere"));
  EXPECT_THROW(write_file_atomically(path("nowhere"), "x"), InputError);
  write_file_atomically(path("to_folder/new"), "newer");
  EXPECT_EQ(read_file(path("folder/new")), "newer");
  EXPECT_TRUE(fs::is_symlink(path("to_folder")) && fs::is_symlink(path("loop")));
  EXPECT_EQ(num_files(), 6u) << "nothing is left beside";
}

TEST_F(FileTest, OtherNamesOfAFileKeepTheOldBytes) {
  write_file_atomically(path("a"), "old");
  fs::create_hard_link(path("a"), path("b"));
  write_file_atomically(path("a"), "new");
  EXPECT_EQ(read_file(path("a")), "new");
  EXPECT_EQ(read_file(path("b")), "old");
}

TEST_F(FileTest, ALongNameIsReplacedToo) {
  const std::string name = path(std::string(255, 'n'));
  write_file_atomically(name, "old");
  write_file_atomically(name, "new");
  EXPECT_EQ(read_file(name), "new");
}

TEST_F(FileTest, APipeIsWrittenInPlace) {
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  std::string read;
  std::thread reader([&] { read = read_file(path("pipe")); });
  write_file_atomically(path("pipe"), "text");
  reader.join();
  EXPECT_EQ(read, "text");
  EXPECT_TRUE(fs::is_fifo(path("pipe")));
}

// What /dev/stdout is: the file keeps what stands in it, whether it is appended to or not.
TEST_F(FileTest, AnOpenFileGoesOnWhereItIs) {
  for (const int mode : {O_APPEND, 0}) {
    write_file_atomically(path("a"), "start ");
    const int fd = ::open(path("a").c_str(), O_WRONLY | mode);
    ::lseek(fd, 6, SEEK_SET);
    const std::string link = "/proc/self/fd/" + std::to_string(fd);
    fs::create_symlink(link, path("link"));
    write_file_atomically(path("link"), "one ");
    write_file_atomically(link, "two ");
    ASSERT_EQ(::write(fd, "end", 3), 3);
    ::close(fd);
    EXPECT_EQ(read_file(path("a")), "start one two end");
    EXPECT_TRUE(fs::is_symlink(path("link")));
    fs::remove(path("link"));
  }
  const int fd = ::open(path("a").c_str(), O_RDONLY);
  EXPECT_THROW(write_file_atomically("/proc/self/fd/" + std::to_string(fd), "x"), InputError);
  ::close(fd);
  EXPECT_THROW(write_file_atomically("/proc/self/fd/" + std::to_string(fd), "x"), InputError);
  EXPECT_THROW(write_file_atomically("/proc/self", "x"), InputError);
}

// The file of another process appends: its place is unknown.
TEST_F(FileTest, AnotherProcessesFileIsAppendedTo) {
  write_file_atomically(path("a"), "start ");
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const int fd = ::open(path("a").c_str(), O_WRONLY);
    ::dup2(fd, 77);
    if (::write(ready[1], "x", 1) != 1) ::_exit(1);
    ::pause();
  }
  char byte;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  write_file_atomically("/proc/" + std::to_string(child) + "/fd/77", "end");
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(read_file(path("a")), "start end");
}

// Runs `body` as a user who is not root, in a process of its own.
int as_nobody(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    constexpr uid_t kNobody = 65534;
    if (::setgid(kNobody) != 0 || ::setuid(kNobody) != 0) ::_exit(99);
    try {
      ::_exit(body());
    } catch (const InputError&) {
      ::_exit(2);
    }
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WEXITSTATUS(status);
}

TEST_F(FileTest, OwnersStay) {
  if (::getuid() != 0) GTEST_SKIP() << "only root can make files of others";
  const auto owner = [&] {
    struct stat info;
    ::stat(path("a").c_str(), &info);
    return std::pair(info.st_uid, info.st_gid);
  };
  write_file_atomically(path("a"), "old");
  ASSERT_EQ(::chown(path("a").c_str(), 1234, 5678), 0);
  write_file_atomically(path("a"), "as root");
  EXPECT_EQ(owner(), std::pair(uid_t{1234}, gid_t{5678}));
  ::chmod(path("a").c_str(), 0666);
  // In a folder where nobody may make files, and in one where anybody may: in place.
  for (const mode_t folder : {0755, 0777, 01777}) {
    ::chmod(folder_.c_str(), folder);
    EXPECT_EQ(as_nobody([&] { return write_file_atomically(path("a"), "nobody"), 0; }), 0);
    EXPECT_EQ(read_file(path("a")), "nobody");
    EXPECT_EQ(owner(), std::pair(uid_t{1234}, gid_t{5678}));
    write_file_atomically(path("a"), "a longer text than theirs");
  }
  ::chmod(path("a").c_str(), 0644);
  EXPECT_EQ(as_nobody([&] { return write_file_atomically(path("a"), "x"), 0; }), 2);
  ::chmod(folder_.c_str(), 0755);
  EXPECT_EQ(as_nobody([&] { return write_file_atomically(path("new"), "x"), 0; }), 2);
  EXPECT_EQ(num_files(), 1u);
}

TEST_F(FileTest, KnowsOneFileByTwoNames) {
  write_file_atomically(path("a"), "x");
  fs::create_hard_link(path("a"), path("b"));
  fs::create_symlink("b", path("c"));
  EXPECT_TRUE(is_same_file(path("c"), path("a")));
  EXPECT_TRUE(is_same_file(path("a"), path("./a")));
  EXPECT_FALSE(is_same_file(path("a"), path("new")));
  fs::create_symlink("new", path("d"));
  EXPECT_TRUE(is_same_file(path("d"), path("./new")));
  EXPECT_FALSE(is_same_file(path("d"), path("newer")));
  EXPECT_FALSE(is_same_file("/dev/null", "/dev/null"));
}

TEST_F(FileTest, AFullDiskLeavesTheOldFile) {
  write_file_atomically(path("a"), "old");
  const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
  const rlimit small{1000, RLIM_INFINITY};
  std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  EXPECT_THROW(write_file_atomically(path("a"), std::string(100000, 'x')), InputError);
  ::setrlimit(RLIMIT_FSIZE, &unlimited);
  EXPECT_EQ(read_file(path("a")), "old");
  EXPECT_EQ(num_files(), 1u);
}

TEST_F(FileTest, SaysWhyItCannot) {
  const auto message = [](auto action) -> std::string {
    try {
      action();
    } catch (const InputError& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_THAT(message([&] { read_file(path("none")); }), HasSubstr("No such file"));
  EXPECT_THAT(message([&] { read_file(folder_.string()); }), HasSubstr("directory"));
  EXPECT_THAT(message([&] { write_file_atomically(folder_.string(), "x"); }),
              HasSubstr("directory"));
  EXPECT_THAT(message([&] { write_file_atomically(path("no/such/folder"), "x"); }),
              HasSubstr("No such file"));
  EXPECT_THAT(message([&] { write_file_atomically(path("new/"), "x"); }), HasSubstr("directory"));
  EXPECT_THAT(message([&] { write_file_atomically("", "x"); }), HasSubstr("empty"));
  EXPECT_THAT(message([&] { write_file_atomically(path(std::string("a\0b", 3)), "x"); }),
              HasSubstr("Invalid"));
  EXPECT_THAT(message([&] { read_file(path(std::string("a\0b", 3))); }), HasSubstr("Invalid"));
  EXPECT_THAT(message([] { write_file_atomically("/dev/full", "x"); }), HasSubstr("No space left"));
}

}  // namespace
}  // namespace lowtide
