#include "server/ntsctl/key_file_transfer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace ntsd {
namespace {

using ::testing::HasSubstr;

class KeyFileTransferTest : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directory(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  const std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("ntsd_transfer_" + std::to_string(getpid()));
};

TEST_F(KeyFileTransferTest, ReadsWhatItWroteForItsOwnerAlone) {
  const std::string path = folder_ / "keys";
  EXPECT_EQ(WriteKeyFile(path, "NKS0\n"), "");
  struct stat status {};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  EXPECT_EQ(*ReadKeyFile(path), "NKS0\n");
}

TEST_F(KeyFileTransferTest, LeavesAnExistingFileAlone) {
  const std::string path = folder_ / "keys";
  std::ofstream(path) << "precious";
  EXPECT_THAT(WriteKeyFile(path, "NKS0\n"), HasSubstr("exists; remove it or choose another name"));
  EXPECT_EQ(*ReadKeyFile(path), "precious");
  std::filesystem::create_symlink(folder_ / "elsewhere", folder_ / "link");
  EXPECT_NE(WriteKeyFile(folder_ / "link", "NKS0\n"), "");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "elsewhere"));
}

TEST_F(KeyFileTransferTest, RefusesWhatIsNoKeyFile) {
  EXPECT_THAT(ReadKeyFile(folder_ / "none").error(), HasSubstr("cannot open"));
  EXPECT_THAT(ReadKeyFile(folder_).error(), HasSubstr("cannot read"));
  std::ofstream(folder_ / "huge") << std::string(1'000'000, 'a');
  const auto huge = ReadKeyFile(folder_ / "huge");
  ASSERT_FALSE(huge);
  EXPECT_THAT(huge.error(), HasSubstr("too long"));
}

}  // namespace
}  // namespace ntsd
