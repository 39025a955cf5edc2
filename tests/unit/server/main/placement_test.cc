#include "server/main/placement.h"

#include <gtest/gtest.h>

#include <numeric>

namespace ntsd {
namespace {

CpuBudget Cpus(std::size_t count, std::size_t share = 0) {
  CpuBudget budget;
  budget.cpus.resize(count);
  std::iota(budget.cpus.begin(), budget.cpus.end(), 0U);
  budget.share = share == 0 ? count : share;
  return budget;
}

std::vector<unsigned> NtpCpus(const Placement& placement) {
  std::vector<unsigned> cpus;
  for (const auto& cpu : placement.ntp) cpus.push_back(cpu.value());
  return cpus;
}

TEST(Placement, SharesFewCpus) {
  for (std::size_t count = 1; count <= 3; ++count) {
    const Placement placement = PlaceWorkers({}, Cpus(count));
    EXPECT_EQ(NtpCpus(placement), Cpus(count).cpus);
    EXPECT_EQ(placement.ke_count, count);
    EXPECT_TRUE(placement.ke_cpus.empty()) << "beside NTP, at lower priority";
  }
}

TEST(Placement, KeepsKeyEstablishmentOffTheNtpWorkersWhereThereAreCpus) {
  const Placement four = PlaceWorkers({}, Cpus(4));
  EXPECT_EQ(NtpCpus(four), (std::vector<unsigned>{0, 1, 2}));
  EXPECT_EQ(four.ke_cpus, std::vector<int>{3});
  const Placement sixteen = PlaceWorkers({}, Cpus(16));
  EXPECT_EQ(sixteen.ntp.size(), 14U);
  EXPECT_EQ(sixteen.ke_cpus, (std::vector<int>{14, 15}));
  EXPECT_EQ(sixteen.ke_count, 2U);
}

TEST(Placement, HonoursTheQuotaOfAContainer) {
  const Placement placement = PlaceWorkers({}, Cpus(64, 2));
  EXPECT_EQ(NtpCpus(placement), (std::vector<unsigned>{0, 1}));
  EXPECT_EQ(placement.ke_count, 2U);
}

TEST(Placement, DoesWhatItIsTold) {
  WorkersConfig config;
  config.ntp = {.kind = WorkerPlan::Kind::kCpus, .count = 0, .cpus = {5, 3}};
  config.ke = {.kind = WorkerPlan::Kind::kCpus, .count = 0, .cpus = {1}};
  Placement placement = PlaceWorkers(config, Cpus(8));
  EXPECT_EQ(NtpCpus(placement), (std::vector<unsigned>{5, 3}));
  EXPECT_EQ(placement.ke_cpus, std::vector<int>{1});
  config.ntp = {.kind = WorkerPlan::Kind::kCount, .count = 3, .cpus = {}};
  config.ke = {.kind = WorkerPlan::Kind::kCount, .count = 5, .cpus = {}};
  placement = PlaceWorkers(config, Cpus(2));
  EXPECT_EQ(NtpCpus(placement), (std::vector<unsigned>{0, 1, 0}));
  EXPECT_EQ(placement.ke_count, 5U);
}

TEST(CpuQuota, IsReadFromTheCgroup) {
  EXPECT_EQ(ParseCpuQuota("max 100000\n"), std::nullopt);
  EXPECT_EQ(ParseCpuQuota("200000 100000\n"), 2U);
  EXPECT_EQ(ParseCpuQuota("250000 100000\n"), 3U) << "a part of a CPU is a CPU";
  EXPECT_EQ(ParseCpuQuota("50000 100000\n"), 1U);
  for (const char* text : {"", "\n", "100000", "100000 0", "0 100000", "x y"}) {
    EXPECT_EQ(ParseCpuQuota(text), std::nullopt) << text;
  }
}

TEST(AvailableCpus, AreAtLeastOne) {
  const CpuBudget budget = AvailableCpus();
  EXPECT_GE(budget.cpus.size(), 1U);
  EXPECT_GE(budget.share, 1U);
  EXPECT_LE(budget.share, budget.cpus.size());
}

}  // namespace
}  // namespace ntsd
