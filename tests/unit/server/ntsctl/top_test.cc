#include "server/ntsctl/top.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ntsd {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

StatsReport Look(double plain, double nts, std::vector<std::uint64_t> service_counts, double kernel_drops = 0) {
  const auto counter = [](std::string name, std::vector<MetricSeries> series) {
    return MetricFamily{std::move(name), "", MetricKind::kCounter, std::move(series)};
  };
  return {{counter("ntsd_ntp_requests_total", {{{{"version", "4"}, {"kind", "plain"}}, plain, {}},
                                               {{{"version", "4"}, {"kind", "nts"}}, nts, {}}}),
           counter("ntsd_ntp_socket_drops_total", {{{}, kernel_drops, {}}}),
           {"ntsd_ntp_service_seconds",
            "",
            MetricKind::kHistogram,
            {{{}, 0, {{1e-6, 2e-6, 4e-6}, std::move(service_counts), 0}}}},
           {"ntsd_reference_synchronized", "", MetricKind::kGauge, {{{}, 1, {}}}}}};
}

TEST(TopText, GivesRatesOfWhatHappenedBusiestFirst) {
  const std::string text = TopText(Look(100, 1000, {0, 0, 0, 0}), Look(110, 1100, {0, 0, 0, 0}), 2, Palette::None());
  EXPECT_THAT(text, ContainsRegex("NTP requests +55.0/s"));
  EXPECT_THAT(text, ContainsRegex("4 nts +50.0\n +4 plain +5.0"));
  EXPECT_THAT(text, Not(HasSubstr("dropped by the kernel")));
  EXPECT_THAT(text, Not(HasSubstr("NTS-KE"))) << "this server has no NTS-KE";
}

TEST(TopText, TakesTimesFromTheInterval) {
  const std::string text = TopText(Look(0, 0, {1000, 0, 0, 0}), Look(0, 0, {1000, 60, 40, 0}), 1, Palette::None());
  EXPECT_THAT(text, HasSubstr("half within 2.000 us, 99 % within 4.000 us"));
}

TEST(TopText, ShoutsWhatTheKernelDropped) {
  EXPECT_THAT(TopText(Look(0, 0, {0, 0, 0, 0}), Look(0, 0, {0, 0, 0, 0}, 3), 1, Palette::None()),
              ContainsRegex("dropped by the kernel +3.0"));
}

TEST(TopText, StartsAnewAfterARestart) {
  const std::string text = TopText(Look(100, 1000, {9, 9, 9, 9}), Look(0, 0, {0, 0, 0, 0}), 1, Palette::None());
  EXPECT_THAT(text, ContainsRegex("NTP requests +0.0/s"));
}

}  // namespace
}  // namespace ntsd
