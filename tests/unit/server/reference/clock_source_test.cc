#include "server/reference/clock_source.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <optional>

#include "core/ntp/chrony_report.h"
#include "server/system_clock.h"
#include "tests/support/fake_chrony.h"
#include "tests/support/fakes.h"
#include "tests/unit/server/reference/peer.h"

namespace ntsd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ChronyTrackingReply;
using testing::FakeRandom;
using testing::Peer;

using Reply = std::vector<std::uint8_t>;
using Replies = std::vector<Reply>;

Reply ToReply(const std::array<std::uint8_t, kChronyTrackingSize>& octets) { return {octets.begin(), octets.end()}; }

std::uint32_t SequenceOf(ByteView request) {
  ByteReader reader(request);
  reader.Skip(8);
  return reader.ReadU32();
}

class ClockSourceTest : public ::testing::Test {
 protected:
  ClockSourceTest() {
    tracking_.stratum = 3;
    tracking_.leap = 0;
    tracking_.reference_time = clock_.Now() - seconds(5);
    tracking_.root_dispersion = milliseconds(1);
  }
  std::unique_ptr<ClockSource> Open(ReferenceKind kind, const std::string& address) {
    ReferenceSettings settings;
    settings.kind = kind;
    settings.address = address;
    settings.stratum = 9;
    auto source = OpenClockSource(settings, clock_, random_);
    EXPECT_TRUE(source) << source.error();
    return source ? *std::move(source) : nullptr;
  }

  SystemClock clock_;
  FakeRandom random_;
  ChronyTracking tracking_;
};

TEST_F(ClockSourceTest, AsksChronydByUdp) {
  const Peer chronyd([&](ByteView request) -> Replies {
    EXPECT_EQ(request.size(), kChronyTrackingSize) << "chronyd answers nothing that is shorter than its reply";
    return {ToReply(ChronyTrackingReply(tracking_, SequenceOf(request)))};
  });
  const auto source = Open(ReferenceKind::kChrony, chronyd.address());
  for (int i = 0; i < 3; ++i) {
    const auto sample = source->Poll();
    ASSERT_TRUE(sample) << ToString(sample.error());
    EXPECT_TRUE(sample->synchronized);
    EXPECT_EQ(sample->stratum, 3);
  }
}

TEST_F(ClockSourceTest, PassesOverLateAndForeignAnswers) {
  const Peer chronyd([&](ByteView request) -> Replies {
    const std::uint32_t sequence = SequenceOf(request);
    return {ToReply(ChronyTrackingReply(tracking_, sequence - 1)), ToReply(ChronyTrackingReply(tracking_, ~sequence)),
            ToReply(ChronyTrackingReply(tracking_, sequence))};
  });
  EXPECT_TRUE(Open(ReferenceKind::kChrony, chronyd.address())->Poll());
}

TEST_F(ClockSourceTest, DoesNotReadForeignAnswersForEver) {
  const Peer chronyd([&](ByteView request) -> Replies {
    return Replies(200, ToReply(ChronyTrackingReply(tracking_, ~SequenceOf(request))));
  });
  const auto source = Open(ReferenceKind::kChrony, chronyd.address());
  EXPECT_EQ(source->Poll().error(), ReferenceFault::kMismatched);
}

TEST_F(ClockSourceTest, SaysWhyThereIsNoSample) {
  const Peer silent([](ByteView) { return Replies{}; });
  EXPECT_EQ(Open(ReferenceKind::kChrony, silent.address())->Poll().error(), ReferenceFault::kNoAnswer);
  const Peer babbling([](ByteView) { return Replies{Reply(30, 0x55)}; });
  EXPECT_EQ(Open(ReferenceKind::kChrony, babbling.address())->Poll().error(), ReferenceFault::kMalformed);
  EXPECT_EQ(Open(ReferenceKind::kNtp, babbling.address())->Poll().error(), ReferenceFault::kMalformed);
}

TEST_F(ClockSourceTest, NoticesThatTheDaemonIsGoneAndBack) {
  std::string address;
  std::unique_ptr<ClockSource> source;
  {
    const Peer silent([](ByteView) { return Replies{}; });
    address = silent.address();
    source = Open(ReferenceKind::kChrony, address);
  }
  EXPECT_EQ(source->Poll().error(), ReferenceFault::kNotRunning);
  EXPECT_EQ(source->Poll().error(), ReferenceFault::kNotRunning);
}

class UnixSourceTest : public ClockSourceTest {
 protected:
  UnixSourceTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "ntsd-test-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }
  ~UnixSourceTest() override { std::filesystem::remove_all(folder_); }
  Peer::Answer Tracking() {
    return [&](ByteView request) -> Replies { return {ToReply(ChronyTrackingReply(tracking_, SequenceOf(request)))}; };
  }

  std::filesystem::path folder_;
};

TEST_F(UnixSourceTest, AsksChronydByItsSocketAlsoAfterARestart) {
  const std::string path = folder_ / "chronyd.sock";
  auto source = Open(ReferenceKind::kChrony, path);
  ASSERT_TRUE(source);
  EXPECT_EQ(source->Poll().error(), ReferenceFault::kNotRunning) << "not started yet";
  for (int i = 0; i < 2; ++i) {
    const Peer chronyd(path, Tracking());
    EXPECT_TRUE(source->Poll());
  }
  EXPECT_EQ(source->Poll().error(), ReferenceFault::kNotRunning);
  source.reset();
  EXPECT_TRUE(std::filesystem::is_empty(folder_)) << "our end is removed";
}

TEST_F(UnixSourceTest, SaysWhatIsNotAllowed) {
  ReferenceSettings settings;
  settings.address = folder_ / "absent" / "chronyd.sock";
  const auto absent = OpenClockSource(settings, clock_, random_);
  ASSERT_FALSE(absent);
  EXPECT_NE(absent.error().find("No such file"), std::string::npos) << absent.error();
  settings.address = "/" + std::string(200, 'x');
  EXPECT_FALSE(OpenClockSource(settings, clock_, random_));
  settings.address = "localhost:323";
  EXPECT_FALSE(OpenClockSource(settings, clock_, random_));
  settings.kind = ReferenceKind::kNtp;
  EXPECT_FALSE(OpenClockSource(settings, clock_, random_));
}

TEST_F(ClockSourceTest, AsksAnyDaemonByNtp) {
  const Peer ntpd([&](ByteView request) -> Replies {
    NtpHeader header = *NtpHeader::Parse(request);
    header.mode = NtpMode::kServer;
    header.stratum = 2;
    header.origin = header.transmit;
    header.receive = header.transmit = header.reference = NtpTimestamp::FromUnix(clock_.Now());
    Reply reply(kNtpHeaderSize);
    ByteWriter writer(reply);
    header.Write(writer);
    return {reply};
  });
  const auto sample = Open(ReferenceKind::kNtp, ntpd.address())->Poll();
  ASSERT_TRUE(sample) << ToString(sample.error());
  EXPECT_TRUE(sample->synchronized);
  EXPECT_EQ(sample->stratum, 2);
  EXPECT_LT(std::chrono::abs(sample->offset), kPollDelayMax);
}

TEST_F(ClockSourceTest, IsItsOwnReferenceByDecree) {
  const auto sample = Open(ReferenceKind::kLocal, "")->Poll();
  ASSERT_TRUE(sample);
  EXPECT_TRUE(sample->synchronized);
  EXPECT_EQ(sample->stratum, 9);
  EXPECT_EQ(sample->reference_id, kLocalReferenceId);
}

TEST_F(ClockSourceTest, ReadsTheKernelOfThisMachine) {
  // Whatever it says, it can be asked without privileges, and says the same as adjtimex does.
  EXPECT_TRUE(Open(ReferenceKind::kKernel, "")->Poll());
}

}  // namespace
}  // namespace ntsd
