#include "ke/certificate_keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tests/support/fakes.h"
#include "tests/support/ke_front_end.h"

namespace ntsd::ke {
namespace {

using std::chrono::hours;
using ::testing::Contains;
using ::testing::ElementsAre;
using testing::FrontEnd;
using ::testing::HasSubstr;

void Write(const std::string& path, const std::string& content) { std::ofstream(path) << content; }

TEST(FileWatch, TellsAChangeOnceWhenItHasSettled) {
  testing::CertificateAuthority directory;
  const std::string path = directory.Path("file");
  FileWatch watch({path});
  EXPECT_FALSE(watch.HasChanged());
  Write(path, "one");
  EXPECT_FALSE(watch.HasChanged());  // might not be finished
  EXPECT_TRUE(watch.HasChanged());
  EXPECT_FALSE(watch.HasChanged());
  Write(path, "three");
  EXPECT_FALSE(watch.HasChanged());
  Write(path, "threes");
  EXPECT_FALSE(watch.HasChanged());
  EXPECT_TRUE(watch.HasChanged());
  std::filesystem::remove(path);
  watch.HasChanged();
  EXPECT_TRUE(watch.HasChanged());
  // Something else that looks alike: another inode.
  Write(path, "threes");
  watch.HasChanged();
  EXPECT_TRUE(watch.HasChanged());
}

TEST(FileWatch, FollowsALinkThatMoves) {
  testing::CertificateAuthority directory;
  Write(directory.Path("a"), "content");
  Write(directory.Path("b"), "content");
  const std::string link = directory.Path("link");
  std::filesystem::create_symlink("a", link);
  FileWatch watch({link});
  std::filesystem::create_symlink("b", link + ".new");
  std::filesystem::rename(link + ".new", link);
  watch.HasChanged();
  EXPECT_TRUE(watch.HasChanged());
}

TEST(ExpiryAlarm, WarnsAtFourteenSevenAndOneDayAndAtTheEnd) {
  testing::FakeClock clock;
  CertificateInfo certificate;
  certificate.chain = "c.pem";
  certificate.not_after = clock.Now() + hours(24 * 30);
  ExpiryAlarm alarm;
  std::vector<std::string> lines;
  for (int hour = 0; hour < 24 * 32; ++hour) {
    const std::string line = alarm.Check(certificate, clock.Now());
    if (!line.empty()) lines.push_back(line);
    clock.Advance(hours(1));
  }
  EXPECT_THAT(lines,
              ElementsAre("c.pem: the certificate expires in 14 days", "c.pem: the certificate expires in 7 days",
                          "c.pem: the certificate expires in 24 hours",
                          "c.pem: the certificate has expired; clients refuse it"));
  // A renewed one begins anew.
  certificate.not_after = clock.Now() + hours(24 * 10);
  EXPECT_EQ(alarm.Check(certificate, clock.Now()), "c.pem: the certificate expires in 10 days");
  EXPECT_EQ(alarm.Check(certificate, clock.Now()), "");
}

class CertificateKeeperTest : public ::testing::Test {
 protected:
  std::string ServedSubject() {
    const auto result = Query(front_end_.Query());
    return result.has_value() ? result->certificate->subject : result.error().text;
  }
  bool WillServe(const std::string& subject) {
    return testing::Eventually([&] { return ServedSubject() == subject; });
  }
  testing::LeafOptions Named(const std::string& name) {
    testing::LeafOptions options;
    options.names = {"localhost"};
    options.common_name = name;
    return options;
  }

  FrontEnd front_end_;
  SystemClock clock_;
  std::vector<std::string> lines_;
  CertificatePair pair_ = front_end_.authority().MakeLeaf("leaf0", Named("first"));
  CertificateKeeper keeper_{
      front_end_.server(), 0, {pair_}, clock_, [this](LogLevel, std::string_view line) { lines_.emplace_back(line); }};
};

TEST_F(CertificateKeeperTest, LoadsWhatHasChangedByItself) {
  keeper_.Poll();
  EXPECT_THAT(lines_, ElementsAre(HasSubstr("expires in 23 hours")));
  EXPECT_EQ(ServedSubject(), "CN = a test");
  front_end_.authority().MakeLeaf("leaf0", Named("second"));
  keeper_.Poll();
  keeper_.Poll();
  EXPECT_TRUE(WillServe("CN = second"));
  EXPECT_THAT(lines_, Contains(HasSubstr("leaf0.pem: the certificate files have changed and are in use")));
}

TEST_F(CertificateKeeperTest, KeepsTheOldOnesWhenTheNewOnesWillNotDo) {
  EXPECT_EQ(keeper_.Reload(), "");
  EXPECT_TRUE(WillServe("CN = first"));
  lines_.clear();
  Write(pair_.key, "nothing");
  keeper_.Poll();
  keeper_.Poll();
  keeper_.Poll();
  EXPECT_THAT(lines_, ElementsAre(HasSubstr("; the former certificates stay in use")));
  EXPECT_THAT(keeper_.Reload(), HasSubstr(pair_.key + ": holds no private key"));
  EXPECT_EQ(ServedSubject(), "CN = first");
  // Mended: noticed by itself.
  front_end_.authority().MakeLeaf("leaf0", Named("third"));
  keeper_.Poll();
  keeper_.Poll();
  EXPECT_TRUE(WillServe("CN = third"));
}

TEST_F(CertificateKeeperTest, TriesAgainWhatWasWrongWithoutTheFiles) {
  testing::FakeClock clock(clock_.Now());
  CertificateKeeper keeper{
      front_end_.server(), 0, {pair_}, clock, [this](LogLevel, std::string_view line) { lines_.emplace_back(line); }};
  front_end_.authority().MakeLeaf("leaf0", Named("second"));
  clock.Step(hours(24 * 365));  // somebody's mistake
  for (int i = 0; i < 4; ++i) keeper.Poll();
  EXPECT_EQ(std::count_if(lines_.begin(), lines_.end(),
                          [](const std::string& line) { return line.find("stay in use") != std::string::npos; }),
            1);
  EXPECT_EQ(ServedSubject(), "CN = a test");
  clock.Step(-hours(24 * 365));
  keeper.Poll();
  EXPECT_TRUE(WillServe("CN = second"));
}

TEST_F(CertificateKeeperTest, TakesOtherFiles) {
  EXPECT_EQ(keeper_.Reload({front_end_.authority().MakeLeaf("elsewhere", Named("moved"))}), "");
  EXPECT_TRUE(WillServe("CN = moved"));
  EXPECT_THAT(keeper_.Reload({{"/nowhere", "/nowhere"}}), HasSubstr("/nowhere: "));
  // From now on the new ones are watched.
  front_end_.authority().MakeLeaf("elsewhere", Named("again"));
  keeper_.Poll();
  keeper_.Poll();
  EXPECT_TRUE(WillServe("CN = again"));
}

}  // namespace
}  // namespace ntsd::ke
