#include "ke/pool_tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/certificates.h"

namespace ntsd::ke {
namespace {

using ::testing::ElementsAre;

class PoolTokens : public ::testing::Test {
 protected:
  Expected<std::vector<std::string>, std::string> Load(const std::string& content) {
    std::ofstream(path_) << content;
    return LoadPoolTokens(path_);
  }
  std::string Error(const std::string& content) {
    const auto tokens = Load(content);
    return tokens.has_value() ? "" : tokens.error();
  }

  testing::CertificateAuthority directory_;
  const std::string path_ = directory_.Path("tokens");
  const std::string good_ = "0123456789abcdef";
};

TEST_F(PoolTokens, AreOneALine) {
  EXPECT_THAT(*Load("# pool.example\n\n  " + good_ + " \r\n" + std::string(128, 'x')),
              ElementsAre(good_, std::string(128, 'x')));
}

TEST_F(PoolTokens, SayWhichLineIsWrongAndNeverTheToken) {
  EXPECT_EQ(Error("\n0123456789abcde\n"), path_ + ":2: a token has at least 16 characters");
  EXPECT_EQ(Error(std::string(129, 'x')), path_ + ":1: a token has at most 128 characters");
  EXPECT_EQ(Error(good_ + "\n0123 56789abcdef\n"), path_ + ":2: a token has visible ASCII characters only");
  EXPECT_EQ(Error("0123456789abcd\xC3\xA9"), path_ + ":1: a token has visible ASCII characters only");
  EXPECT_EQ(Error("# none\n"), path_ + ": holds no token");
  EXPECT_EQ(Error(""), path_ + ": holds no token");
  EXPECT_EQ(LoadPoolTokens("/nowhere/tokens").error(), "/nowhere/tokens: cannot be opened: No such file or directory");
}

}  // namespace
}  // namespace ntsd::ke
