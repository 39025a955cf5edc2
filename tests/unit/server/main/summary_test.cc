#include "server/main/summary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace ntsd {
namespace {

std::map<std::string, std::string, std::less<>> Fields(const StatusReport& status, const Config& config) {
  std::map<std::string, std::string, std::less<>> fields;
  for (const LogField& field : StartSummary(status, config)) fields.emplace(field.name, field.value);
  return fields;
}

StatusReport Status() {
  StatusReport status;
  status.version = "0.1.0";
  status.now = 1'700'000'000;
  status.engine = "io_uring";
  status.crypto = "vaes512";
  status.ntp_workers = 2;
  status.reference = {.source = "chrony 127.0.0.1:323", .synchronized = true, .stratum = 3, .reference_id = {}};
  status.listeners = {{"ntp", "0.0.0.0:123", "require-nts deny"}, {"nts-ke", "0.0.0.0:4460", ""}};
  status.certificates = {{"a.example", "/a.pem", 1'700'000'000 + 40 * 86'400}, {"b.example", "/b.pem", 1'700'086'400}};
  return status;
}

TEST(StartSummary, SaysWhatTheServerIsAndDoes) {
  const auto fields = Fields(Status(), Config{});
  EXPECT_EQ(fields.at("version"), "0.1.0");
  EXPECT_EQ(fields.at("engine"), "io_uring");
  EXPECT_EQ(fields.at("crypto"), "vaes512");
  EXPECT_EQ(fields.at("ntp-workers"), "2");
  EXPECT_EQ(fields.at("listeners"), "ntp 0.0.0.0:123 (require-nts deny), nts-ke 0.0.0.0:4460");
  EXPECT_EQ(fields.at("certificates"), "a.example until 2023-12-24 (40 days), b.example until 2023-11-15 (1 day)");
  EXPECT_EQ(fields.at("reference"), "chrony 127.0.0.1:323, stratum 3");
  EXPECT_EQ(fields.at("ntp-limit"), "2/s after 64, per /32 and /64");
  EXPECT_EQ(fields.at("ke-limit"), "0.2/s after 32, per /32 and /64");
  EXPECT_EQ(fields.at("access"), "everybody");
}

TEST(StartSummary, SaysWhatIsOffOrMissing) {
  StatusReport status = Status();
  status.reference.synchronized = false;
  status.certificates.clear();
  Config config;
  config.limits.ntp.rate = 0;
  config.control.socket.clear();
  config.access.deny = {*IpPrefix::Parse("192.0.2.0/24")};
  const auto fields = Fields(status, config);
  EXPECT_EQ(fields.at("reference"), "chrony 127.0.0.1:323, not synchronized");
  EXPECT_EQ(fields.at("certificates"), "none");
  EXPECT_EQ(fields.at("ntp-limit"), "off");
  EXPECT_EQ(fields.at("control"), "off");
  EXPECT_EQ(fields.at("access"), "2 prefixes allowed, 1 denied");
}

}  // namespace
}  // namespace ntsd
