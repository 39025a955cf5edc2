#include "tests/conformance/command_line.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace ntsd::conformance {
namespace {

Expected<CommandLine, CommandLineEnd> Parse(std::vector<const char*> words) {
  words.insert(words.begin(), "ntsconform");
  return ParseCommandLine(static_cast<int>(words.size()), words.data());
}

TEST(CommandLine, IsPoliteUnlessToldOtherwise) {
  const auto line = Parse({"time.example"});
  ASSERT_TRUE(line.has_value());
  EXPECT_EQ(line->target.host, "time.example");
  EXPECT_FALSE(line->target.is_fast);
  EXPECT_EQ(line->target.rate, 2);
  EXPECT_EQ(line->target.ke_port, 4460);
  EXPECT_FALSE(line->target.ntp_port.has_value());
  EXPECT_FALSE(line->target.is_insecure);
}

TEST(CommandLine, TakesSelectionsApart) {
  const auto line = Parse({"h", "--only", "R-KE,R-NTP-01", "--only", "R-EF"});
  ASSERT_TRUE(line.has_value());
  EXPECT_EQ(line->only, (std::vector<std::string>{"R-KE", "R-NTP-01", "R-EF"}));
}

TEST(CommandLine, RefusesWhatContradictsOrIsMissing) {
  for (const std::vector<const char*>& words : {std::vector<const char*>{},
                                                {"h", "--insecure", "--ca", "x"},
                                                {"h", "--rate", "0"},
                                                {"h", "--ke-port", "65536"},
                                                {"h", "--pool-token", "/no/such/file"},
                                                {"h", "--address", "h"}}) {
    const auto line = Parse(words);
    ASSERT_FALSE(line.has_value());
    EXPECT_EQ(line.error().exit_status, 2);
    EXPECT_EQ(line.error().text.substr(0, 12), "ntsconform: ");
  }
}

TEST(CommandLine, TakesAddressesForAName) {
  const auto line = Parse({"h", "--address", "192.0.2.1", "--address", "2001:db8::1"});
  ASSERT_TRUE(line.has_value());
  ASSERT_EQ(line->target.addresses.size(), 2U);
  EXPECT_EQ(line->target.addresses[1].ToString(), "2001:db8::1");
}

TEST(CommandLine, ListAndHelpNeedNoHost) {
  EXPECT_TRUE(Parse({"--list"}).has_value());
  EXPECT_EQ(Parse({"--help"}).error().exit_status, 0);
}

TEST(Token, IsTheFirstLineThatIsNoComment) {
  const std::filesystem::path file = std::filesystem::path(::testing::TempDir()) / "ntsconform-token";
  std::ofstream(file) << "# a pool\n\nabc\r\ndef\n";
  EXPECT_EQ(ReadToken(file.string()).value(), "abc");
  std::ofstream(file) << "# none\n";
  EXPECT_FALSE(ReadToken(file.string()).has_value());
  std::filesystem::remove(file);
}

}  // namespace
}  // namespace ntsd::conformance
