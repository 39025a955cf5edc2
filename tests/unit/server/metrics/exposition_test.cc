#include "server/metrics/exposition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <string_view>

#include "tests/unit/server/metrics/full_snapshot.h"

namespace ntsd {
namespace {

using ::ntsd::testing::FullSnapshot;
using ::testing::HasSubstr;
using ::testing::Not;

std::string TextOf(const MetricsSnapshot& snapshot) { return ExpositionText(MetricFamilies(snapshot)); }

// Dashboards and alarms of operators hang on these names.
TEST(MetricFamilies, HaveTheNamesThatWerePromised) {
  constexpr std::array<std::string_view, 33> kNames = {
      "ntsd_ntp_requests_total",
      "ntsd_ntp_responses_total",
      "ntsd_ntp_naks_total",
      "ntsd_ntp_dropped_total",
      "ntsd_ntp_cookies_opened_total",
      "ntsd_ntp_service_seconds",
      "ntsd_ntp_octets_total",
      "ntsd_ntp_amplified_total",
      "ntsd_ntp_client_networks",
      "ntsd_ntp_socket_drops_total",
      "ntsd_ntp_port_events_total",
      "ntsd_ntp_interleaved_total",
      "ntsd_tx_timestamp_error_seconds",
      "ntsd_tx_timestamp_samples_total",
      "ntsd_card_stamps_in_use",
      "ntsd_card_clock_error_seconds",
      "ntsd_ke_connections_total",
      "ntsd_ke_seconds",
      "ntsd_ke_cpu_seconds_total",
      "ntsd_ke_active",
      "ntsd_ke_aead_total",
      "ntsd_reference_synchronized",
      "ntsd_reference_stratum",
      "ntsd_reference_root_delay_seconds",
      "ntsd_reference_root_dispersion_seconds",
      "ntsd_reference_offset_seconds",
      "ntsd_reference_leap",
      "ntsd_key_age_seconds",
      "ntsd_key_rotation_interval_seconds",
      "ntsd_key_ring_fingerprint",
      "ntsd_certificate_expiry_timestamp_seconds",
      "ntsd_reload_total",
      "ntsd_build_info",
  };
  std::set<std::string_view> names;
  const std::vector<MetricFamily> families = MetricFamilies(FullSnapshot());
  for (const MetricFamily& family : families) {
    EXPECT_TRUE(names.insert(family.name).second) << family.name << " twice";
    EXPECT_FALSE(family.help.empty()) << family.name;
    const bool is_counter = family.kind == MetricKind::kCounter;
    EXPECT_EQ(family.name.ends_with("_total"), is_counter) << family.name;
  }
  for (const std::string_view name : kNames) {
    EXPECT_EQ(names.erase(name), 1U) << name;
  }
  EXPECT_TRUE(names.empty()) << *names.begin() << " was not promised";
}

TEST(ExpositionText, WritesLabelsAndValues) {
  const std::string text = TextOf(FullSnapshot());
  EXPECT_THAT(text, HasSubstr("# TYPE ntsd_ntp_requests_total counter\n"));
  EXPECT_THAT(text,
              HasSubstr("ntsd_ntp_requests_total{listener=\"0.0.0.0:123\",version=\"4\",kind=\"nts\"} 12345678901\n"));
  EXPECT_THAT(text, HasSubstr("ntsd_ntp_naks_total{reason=\"unknown_cookie_key\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("ntsd_ntp_dropped_total{reason=\"too_short\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("ntsd_key_ring_fingerprint{fingerprint=\"00112233aabbccdd\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("ntsd_build_info{version=\"0.1.0\",engine=\"io_uring\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("ntsd_reference_synchronized 1\n"));
}

TEST(ExpositionText, HistogramsAreCumulativeAndEndAtInfinity) {
  const std::string text = TextOf(FullSnapshot());
  EXPECT_THAT(text, HasSubstr("# TYPE ntsd_ntp_service_seconds histogram\n"
                              "ntsd_ntp_service_seconds_count 10\n"
                              "ntsd_ntp_service_seconds_sum 0.5\n"
                              "ntsd_ntp_service_seconds_bucket{le=\"0.25\"} 7\n"
                              "ntsd_ntp_service_seconds_bucket{le=\"1\"} 9\n"
                              "ntsd_ntp_service_seconds_bucket{le=\"+Inf\"} 10\n"));
}

TEST(ExpositionText, ARoleThatIsNotServedHasNoSeries) {
  MetricsSnapshot snapshot = FullSnapshot();
  snapshot.ke.reset();
  EXPECT_THAT(TextOf(snapshot), Not(HasSubstr("ntsd_ke_")));
  EXPECT_THAT(TextOf(snapshot), HasSubstr("ntsd_ntp_"));
  snapshot.ntp.reset();
  EXPECT_THAT(TextOf(snapshot), Not(HasSubstr("ntsd_ntp_")));
}

// Prometheus takes one of two series with the same labels, and it may be the wrong one.
TEST(ExpositionText, ANameWithSeveralCertificatesEndsWithTheFirstOfThem) {
  MetricsSnapshot snapshot;
  snapshot.certificate_expiry_s = {{"a.example", 300}, {"b.example", 200}, {"a.example", 100}, {"a.example", 400}};
  const std::string text = TextOf(snapshot);
  EXPECT_THAT(text, HasSubstr("{name=\"a.example\"} 100\n"));
  EXPECT_THAT(text, HasSubstr("{name=\"b.example\"} 200\n"));
  EXPECT_THAT(text, Not(HasSubstr(" 300\n")));
  EXPECT_THAT(text, Not(HasSubstr(" 400\n")));
}

TEST(ExpositionText, EscapesLabelValues) {
  MetricsSnapshot snapshot;
  snapshot.certificate_expiry_s = {{"a\"b\\c\nd", 1}};
  EXPECT_THAT(TextOf(snapshot), HasSubstr(R"({name="a\"b\\c\nd"} 1)"));
}

}  // namespace
}  // namespace ntsd
