#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/ntsctl/query_report.h"
#include "tests/support/json_names.h"

namespace ntsd {
namespace {

using ::ntsd::testing::NamesNotInManual;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr std::int64_t kNow = 1'767'225'600;

QueryReport GoodReport() {
  QueryReport report;
  report.host = "ntp.example.com";
  report.now = kNow;
  KeQueryReport& ke = report.ke.emplace();
  ke.peer = "192.0.2.1:4460";
  ke.tls_version = "TLSv1.3";
  ke.cipher_suite = "TLS_AES_256_GCM_SHA384";
  ke.certificate_names = {"ntp.example.com", "*.example.com"};
  ke.certificate_issuer = "CN=Authority";
  ke.certificate_key = "ECDSA P-256";
  ke.certificate_ends_at = kNow + 61 * 86400;
  ke.is_verified = true;
  ke.aead = 15;
  ke.cookie_count = 8;
  ke.cookie_size = 100;
  ke.ntp_server = "192.0.2.1";
  ke.ntp_port = 11123;
  SampleReport sample;
  sample.address = "192.0.2.1:11123";
  sample.is_authenticated = true;
  sample.has_header = true;
  sample.offset_s = 12.3e-6;
  sample.delay_s = 230e-6;
  sample.stratum = 2;
  sample.leap = LeapIndicator::kNone;
  sample.root_delay_s = 0.002;
  sample.root_dispersion_s = 0.001;
  report.samples = {sample, sample};
  report.samples[1].offset_s = -8e-6;
  report.samples[1].delay_s = 100e-6;
  return report;
}

TEST(QueryText, TellsKeyEstablishmentAndSamples) {
  const std::string text = QueryText(GoodReport(), Palette::None());
  for (const char* words :
       {"NTS-KE ntp.example.com at 192.0.2.1:4460", "TLSv1.3, TLS_AES_256_GCM_SHA384",
        "ntp.example.com, *.example.com (ECDSA P-256)", "issued by CN=Authority", "in 61 days", "verified", "15 ",
        "8 of 100 octets", "192.0.2.1, port 11123", "+12.30 us", "230.0 us", "root distance",
        "2 of 2 samples authenticated", "this clock is 8.000 us ahead of the server's, give or take 2.050 ms"}) {
    EXPECT_THAT(text, HasSubstr(words));
  }
}

TEST(QueryText, ShoutsAboutWhatIsNotProven) {
  QueryReport report = GoodReport();
  report.ke->is_verified = false;
  report.samples[1] = SampleReport{};
  report.samples[1].problem = "no answer";
  const std::string text = QueryText(report, Palette::ForTerminal());
  EXPECT_THAT(text, HasSubstr("\x1b[31mNOT VERIFIED, as --insecure asked\x1b[0m"));
  EXPECT_THAT(text, HasSubstr("\x1b[31mno answer\x1b[0m"));
  EXPECT_THAT(text, HasSubstr("\x1b[31m1 of 2 samples authenticated\x1b[0m"));
}

TEST(QueryText, PlainTimeIsNeverCalledAuthenticated) {
  QueryReport report = GoodReport();
  report.ke.reset();
  report.is_plain = true;
  for (SampleReport& sample : report.samples) sample.is_authenticated = false;
  const std::string text = QueryText(report, Palette::None());
  EXPECT_TRUE(report.IsGood());
  EXPECT_THAT(text, HasSubstr("2 of 2 samples answered, none authenticated"));
  EXPECT_THAT(text, Not(HasSubstr("NTS-KE")));
}

TEST(QueryText, NothingOfTheServerReachesTheTerminalAsItIs) {
  QueryReport report = GoodReport();
  report.ke->certificate_names = {"a\x1b[2J"};
  report.ke->certificate_issuer = "b\x1b[2J";
  report.ke->ntp_server = "c\x1b[2J";
  EXPECT_THAT(QueryText(report, Palette::None()), Not(HasSubstr("\x1b")));
}

TEST(QueryReport, IsGoodOnlyWhenEverySampleIs) {
  EXPECT_TRUE(GoodReport().IsGood());
  QueryReport report = GoodReport();
  report.samples[1].is_authenticated = false;
  EXPECT_FALSE(report.IsGood());
  report = GoodReport();
  report.samples[0].problem = "the server is not synchronized";
  EXPECT_FALSE(report.IsGood());
  report = GoodReport();
  report.problem = "not all samples could be taken";
  EXPECT_FALSE(report.IsGood());
  report = GoodReport();
  report.samples.clear();
  EXPECT_FALSE(report.IsGood());
}

TEST(QueryJson, CarriesTheSame) {
  const std::string json = QueryJson(GoodReport());
  for (const char* words : {"\"good\": true", "\"tls_version\": \"TLSv1.3\"", "\"verified\": true",
                            "\"ntp_port\": 11123", "\"offset_s\": 1.23e-05", "\"authenticated\": true"}) {
    EXPECT_THAT(json, HasSubstr(words));
  }
  EXPECT_THAT(NamesNotInManual(json, NTSD_SOURCE_FOLDER "/deploy/man/ntsctl.8"), IsEmpty());
  QueryReport failed;
  failed.host = "x\xFF";  // not UTF-8
  failed.problem = "NTS-KE: no";
  const std::string none = QueryJson(failed);
  EXPECT_THAT(none, HasSubstr("\"good\": false"));
  EXPECT_THAT(none, HasSubstr("\"problem\": \"NTS-KE: no\""));
  EXPECT_THAT(none, HasSubstr("\"samples\": []"));
}

}  // namespace
}  // namespace ntsd
