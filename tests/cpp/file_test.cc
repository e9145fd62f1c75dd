#include "lowtide/io/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>

#include "lowtide/graph/error.h"

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
  EXPECT_THAT(message([] { write_file_atomically("/dev/full", "x"); }), HasSubstr("No space left"));
}

}  // namespace
}  // namespace lowtide
