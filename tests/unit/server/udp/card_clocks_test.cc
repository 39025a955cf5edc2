// Network cards made of software: how they are set up, looked at and believed, and what is said when they are not.
#include "server/udp/card_clocks.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <map>
#include <string>
#include <vector>

#include "server/udp/udp_port.h"
#include "tests/support/fakes.h"

namespace ntsd {
namespace {

using std::chrono::microseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::uint32_t kOffersAll = 1U << HWTSTAMP_FILTER_ALL;
constexpr std::uint32_t kOffersNtp = 1U << HWTSTAMP_FILTER_NTP_ALL;
constexpr std::uint32_t kOffersPtp = 1U << HWTSTAMP_FILTER_PTP_V2_EVENT;

hwtstamp_config Settings(int receive, int transmit = HWTSTAMP_TX_OFF) {
  return {.flags = 0, .tx_type = transmit, .rx_filter = receive};
}

TEST(WidenFilter, LeavesWhatIsWideEnough) {
  for (const int filter : {HWTSTAMP_FILTER_ALL, HWTSTAMP_FILTER_NTP_ALL}) {
    const auto wanted = WidenFilter(Settings(filter), 0);
    ASSERT_TRUE(wanted);
    EXPECT_FALSE(*wanted);
  }
}

TEST(WidenFilter, TakesTheNarrowestThatHoldsNtpWhereNobodyWantsAnything) {
  EXPECT_EQ((*WidenFilter(Settings(HWTSTAMP_FILTER_NONE), kOffersAll | kOffersNtp))->rx_filter,
            HWTSTAMP_FILTER_NTP_ALL);
  EXPECT_EQ((*WidenFilter(Settings(HWTSTAMP_FILTER_NONE), kOffersAll | kOffersPtp))->rx_filter, HWTSTAMP_FILTER_ALL);
}

TEST(WidenFilter, TakesNothingAwayFromAnotherProgram) {
  const hwtstamp_config ptp = Settings(HWTSTAMP_FILTER_PTP_V2_EVENT, HWTSTAMP_TX_ON);
  const auto wanted = WidenFilter(ptp, kOffersAll | kOffersNtp | kOffersPtp);
  ASSERT_TRUE(wanted);
  EXPECT_EQ((*wanted)->rx_filter, HWTSTAMP_FILTER_ALL) << "NTP_ALL would end its PTP stamps";
  EXPECT_EQ((*wanted)->tx_type, HWTSTAMP_TX_ON);
  EXPECT_THAT(WidenFilter(ptp, kOffersNtp | kOffersPtp).error(), HasSubstr("another program"));
}

TEST(WidenFilter, RefusesACardThatStampsPtpOnly) {
  EXPECT_THAT(WidenFilter(Settings(HWTSTAMP_FILTER_NONE), kOffersPtp).error(), HasSubstr("PTP only"));
}

// One card, "eth7" with index 7, whose clock is ahead by a day.
class FakeCards final : public NetworkCards {
 public:
  unsigned IndexOf(const std::string& interface) override { return interface == "eth7" ? 7 : 0; }
  Expected<CardAbilities, int> AbilitiesOf(const std::string&) override { return abilities; }
  Expected<hwtstamp_config, int> SettingsOf(const std::string&) override {
    if (settings_error != 0) return Unexpected(settings_error);
    return settings;
  }
  Expected<hwtstamp_config, int> Change(const std::string&, hwtstamp_config wanted) override {
    ++changes;
    if (change_error != 0) return Unexpected(change_error);
    if (!ignores_changes) settings = wanted;
    return settings;
  }
  Expected<Descriptor, int> OpenClock(int clock_index) override {
    EXPECT_EQ(clock_index, 3);
    if (open_error != 0) return Unexpected(open_error);
    return Descriptor(open("/dev/null", O_RDONLY | O_CLOEXEC));
  }
  std::span<const CardReading> Read(int, std::span<CardReading, kCardReadingsPerLook> room) override {
    if (!is_readable) return {};
    room[0] = {.before = now, .card = At(now + nanoseconds(500)), .after = now + nanoseconds(1000)};
    return room.first(1);
  }

  static CardTime At(UnixTime time) { return {(time + std::chrono::hours(24)).time_since_epoch().count()}; }

  CardAbilities abilities{.can_stamp_received = true, .clock_index = 3, .receive_filters = kOffersAll};
  hwtstamp_config settings = Settings(HWTSTAMP_FILTER_NONE);
  int settings_error = 0, change_error = 0, open_error = 0;
  bool ignores_changes = false;
  bool is_readable = true;
  int changes = 0;
  UnixTime now{seconds(1'790'000'000)};
};

class Cards : public ::testing::Test {
 protected:
  void Open(const std::string& interface = "eth7") {
    const std::vector<std::string> interfaces = {interface};
    clocks_ = std::make_unique<CardClocks>(interfaces, system_, [this](const CardStatus& status) {
      reports_.push_back((status.is_used ? "used: " : "not used: ") + status.detail);
    });
  }
  void Look(unsigned times) {
    for (unsigned i = 0; i < times; ++i) {
      system_.now += seconds(1);
      clocks_->Look();
    }
  }
  // Why the only card is not used.
  std::string Why(const std::string& interface = "eth7") {
    reports_.clear();
    Open(interface);
    EXPECT_FALSE(clocks_->HasAny());
    EXPECT_EQ(reports_.size(), 1U) << "one line of the log";
    clocks_->Look();
    EXPECT_EQ(clocks_->Map(7, FakeCards::At(system_.now), system_.now).error(), CardRefusal::kNotMapped);
    EXPECT_FALSE(clocks_->Statuses().at(0).is_used);
    return clocks_->Statuses().at(0).detail;
  }

  FakeCards system_;
  std::unique_ptr<CardClocks> clocks_;
  std::vector<std::string> reports_;
};

TEST_F(Cards, AreSetUpLearnedAndUsed) {
  Open();
  EXPECT_TRUE(clocks_->HasAny());
  EXPECT_EQ(system_.settings.rx_filter, HWTSTAMP_FILTER_ALL);
  EXPECT_FALSE(clocks_->Statuses().at(0).is_used);
  EXPECT_THAT(clocks_->Statuses().at(0).detail, HasSubstr("being learned"));
  Look(kCardLooksMin);
  EXPECT_TRUE(clocks_->Statuses().at(0).is_used);
  EXPECT_EQ(clocks_->Statuses().at(0).error, nanoseconds(500));
  EXPECT_THAT(reports_, ElementsAre("used: its clock ptp3 is known to 0.50 µs"));
  const auto came = clocks_->Map(7, FakeCards::At(system_.now), system_.now + microseconds(20));
  ASSERT_TRUE(came);
  EXPECT_EQ(*came, system_.now);
  EXPECT_EQ(clocks_->Map(8, FakeCards::At(system_.now), system_.now).error(), CardRefusal::kNotMapped)
      << "another card";
}

TEST_F(Cards, OfAnotherProgramStayAsTheyAre) {
  system_.settings = Settings(HWTSTAMP_FILTER_ALL, HWTSTAMP_TX_ON);
  Open();
  EXPECT_TRUE(clocks_->HasAny());
  EXPECT_EQ(system_.changes, 0);
  system_.settings = Settings(HWTSTAMP_FILTER_PTP_V2_EVENT);
  system_.abilities.receive_filters = kOffersPtp;
  EXPECT_THAT(Why(), HasSubstr("another program"));
  EXPECT_EQ(system_.changes, 0);
}

TEST_F(Cards, ThatCannotDoItSayWhy) {
  EXPECT_THAT(Why("eth8"), HasSubstr("no such interface"));
  system_.abilities.can_stamp_received = false;
  EXPECT_THAT(Why(), HasSubstr("stamps nothing"));
  system_.abilities = {.can_stamp_received = true, .clock_index = -1, .receive_filters = kOffersAll};
  EXPECT_THAT(Why(), HasSubstr("stamps nothing"));
  system_.abilities = {.can_stamp_received = true, .clock_index = 3, .receive_filters = kOffersAll};
  system_.settings_error = EOPNOTSUPP;
  EXPECT_THAT(Why(), HasSubstr("left alone"));
  EXPECT_EQ(system_.changes, 0);
  system_.settings_error = 0;
  system_.change_error = EPERM;
  EXPECT_THAT(Why(), HasSubstr("CAP_NET_ADMIN"));
  system_.change_error = 0;
  system_.ignores_changes = true;
  EXPECT_THAT(Why(), HasSubstr("another filter"));
  system_.ignores_changes = false;
  system_.open_error = ENOENT;
  EXPECT_THAT(Why(), HasSubstr("/dev/ptp3: No such file"));
}

TEST_F(Cards, WhoseClocksAreLostAndFoundAreReportedOnceAMinute) {
  Open();
  Look(kCardLooksMin);
  reports_.clear();
  for (int i = 0; i < 10; ++i) {
    system_.is_readable = false;
    Look(kCardMissesMax);
    EXPECT_THAT(clocks_->Statuses().at(0).detail, HasSubstr("cannot be read")) << "at once";
    system_.is_readable = true;
    Look(kCardLooksMin);
  }
  EXPECT_LE(reports_.size(), 1U);
  system_.is_readable = false;
  Look(61);
  EXPECT_EQ(reports_.back(), "not used: its clock cannot be read");
}

TEST_F(Cards, WhoseClocksAreNeverFoundAreReported) {
  system_.is_readable = false;
  Open();
  Look(10);
  EXPECT_THAT(reports_, ElementsAre("not used: its clock cannot be read"));
}

// The cards of this machine: loopback has none.
TEST(SystemCards, SayThatLoopbackHasNoCard) {
  SystemCards system;
  std::vector<std::string> reports;
  const std::vector<std::string> interfaces = {"lo"};
  const CardClocks clocks(interfaces, system, [&](const CardStatus& status) { reports.push_back(status.detail); });
  EXPECT_FALSE(clocks.HasAny());
  EXPECT_THAT(reports, ElementsAre("its card or driver stamps nothing that it receives"));
}

// Only the stamps of a port are asked for.
class StampingPort final : public UdpPort {
 public:
  using UdpPort::StampOf;
  using UdpPort::UdpPort;
  std::string Begin() override { return {}; }
  std::span<Exchange> Receive(bool) override { return {}; }
  void Send(std::span<Exchange>) override {}
  void Release() override {}
  std::span<const Departure> Departures() override { return {}; }
  void Wake() override {}
};

// Each way that a stamp can go, with its event.
TEST_F(Cards, GivePortsTheirStampsAndEachRefusalIsCounted) {
  Open();
  const testing::FakeClock clock(system_.now + seconds(1000));
  StampingPort port(clock, clocks_.get());
  const UnixTime came = system_.now + seconds(3);
  const UnixTime by_kernel = came + microseconds(20);
  Arrival arrival{.received = by_kernel, .card = CardStamp{.time = FakeCards::At(came), .interface = 7}};
  const auto count = [&](PortEvent event) { return port.counters().Read(static_cast<std::size_t>(event)); };

  EXPECT_EQ(port.StampOf(arrival), by_kernel);
  EXPECT_EQ(count(PortEvent::kCardUnmapped), 1U);
  Look(kCardLooksMin);
  EXPECT_EQ(port.StampOf(arrival), came);
  EXPECT_EQ(count(PortEvent::kCardStamped), 1U);
  arrival.card->time = FakeCards::At(came - std::chrono::milliseconds(10));
  EXPECT_EQ(port.StampOf(arrival), by_kernel);
  EXPECT_EQ(count(PortEvent::kCardDisagrees), 1U);
  arrival.card->time = FakeCards::At(came - seconds(10));
  EXPECT_EQ(port.StampOf(arrival), by_kernel);
  EXPECT_EQ(count(PortEvent::kCardStale), 1U);
  arrival.card.reset();
  EXPECT_EQ(port.StampOf(arrival), by_kernel);
  EXPECT_EQ(count(PortEvent::kCardSilent), 1U);
  arrival.received.reset();
  EXPECT_EQ(port.StampOf(arrival), clock.Now());
  EXPECT_EQ(count(PortEvent::kStampMissing), 1U);

  StampingPort plain(clock);
  EXPECT_EQ(plain.StampOf({.received = by_kernel, .card = CardStamp{.time = FakeCards::At(came), .interface = 7}}),
            by_kernel);
  EXPECT_EQ(plain.counters().Read(static_cast<std::size_t>(PortEvent::kCardUnmapped)), 0U);
}

}  // namespace
}  // namespace ntsd
