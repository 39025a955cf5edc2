#include "server/config/files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/unit/server/config/config_text.h"

namespace ntsd {
namespace {

using ::ntsd::testing::Parse;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class CheckFilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = ::testing::TempDir() + "ntsd_files_" + std::to_string(::getpid());
    std::filesystem::create_directory(folder_);
    Write("chain.pem", "-----BEGIN CERTIFICATE-----\n");
    Write("key.pem", "-----BEGIN PRIVATE KEY-----\nSECRETSECRET\n");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  void Write(const std::string& name, const std::string& text) const { std::ofstream(Path(name)) << text; }

  // What is said about a good configuration with these values on top.
  std::vector<std::string> Problems(std::vector<std::string> overrides) const {
    overrides.insert(overrides.begin(),
                     {"ke[0].certificates=[{chain='" + Path("chain.pem") + "',key='" + Path("key.pem") + "'}]",
                      "keys.file='" + Path("keys") + "'", "process.user="});
    const LoadResult loaded = Parse("[[ntp]]\n[[ke]]\n", overrides);
    if (!loaded) {
      ADD_FAILURE() << loaded.error()[0].ToString();
      return {};
    }
    std::vector<std::string> lines;
    for (const ConfigError& error : CheckFiles(loaded->config, loaded->origins)) {
      EXPECT_EQ(error.kind, ConfigError::Kind::kEnvironment);
      lines.push_back(error.ToString());
    }
    return lines;
  }

  std::string folder_;
};

TEST_F(CheckFilesTest, IsContentWithGoodFiles) { EXPECT_THAT(Problems({}), IsEmpty()); }

TEST_F(CheckFilesTest, NamesAMissingCertificateAndItsKey) {
  EXPECT_THAT(Problems({"ke[0].certificates=[{chain='/nonexistent/a',key='/nonexistent/b'}]"}),
              ElementsAre(HasSubstr("ke[0].certificates[0].chain: cannot open /nonexistent/a: No such file"),
                          HasSubstr("ke[0].certificates[0].key: cannot open /nonexistent/b: No such file")));
}

TEST_F(CheckFilesTest, SeesFilesThatAreSomethingElseAndTellsNothingOfThem) {
  // Chain and key exchanged, the most common mistake.
  EXPECT_THAT(Problems({"ke[0].certificates=[{chain='" + Path("key.pem") + "',key='" + Path("chain.pem") + "'}]"}),
              AllOf(ElementsAre(HasSubstr("expected a certificate chain in PEM"), HasSubstr("expected a private key")),
                    Each(Not(HasSubstr("SECRET")))));
  EXPECT_THAT(Problems({"ke[0].certificates=[{chain='/',key='" + Path("key.pem") + "'}]"}),
              ElementsAre(HasSubstr("/ is not a file")));
}

TEST_F(CheckFilesTest, AKeyFileMayBeMissingOnlyWhenWeMakeIt) {
  EXPECT_THAT(Problems({"keys.source=follow"}), ElementsAre(HasSubstr("keys.file: cannot open")));
  EXPECT_THAT(Problems({"keys.file=/nonexistent/folder/keys"}),
              ElementsAre(HasSubstr("keys.file: the directory /nonexistent/folder does not exist")));
  Write("keys", "");
  EXPECT_THAT(Problems({}), ElementsAre(HasSubstr("expected a key file"))) << "a torn file is not taken for a new one";
}

TEST_F(CheckFilesTest, OpensTokensAndLeapSeconds) {
  Write("leap", "# nothing of use\n");
  EXPECT_THAT(Problems({"ke[0].pool-tokens=/nonexistent/t", "reference.leap-seconds=" + Path("leap")}),
              ElementsAre(HasSubstr("ke[0].pool-tokens: cannot open"), HasSubstr("expected leap-seconds.list")));
  Write("leap", "#@ 3960057600\n2272060800 10\n");
  Write("tokens", "abc\n");
  EXPECT_THAT(Problems({"ke[0].pool-tokens=" + Path("tokens"), "reference.leap-seconds=" + Path("leap")}), IsEmpty());
}

}  // namespace
}  // namespace ntsd
