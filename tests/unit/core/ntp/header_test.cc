#include "core/ntp/header.h"

#include <gtest/gtest.h>

#include <array>

#include "tests/support/fakes.h"
#include "tests/support/hex.h"

namespace ntsd {
namespace {

using testing::FakeRandom;
using testing::FromHex;

using Octets = std::array<std::uint8_t, kNtpHeaderSize>;

Octets Written(const NtpHeader& header) {
  Octets octets{};
  ByteWriter writer(octets);
  header.Write(writer);
  EXPECT_TRUE(writer.ok());
  EXPECT_EQ(writer.size(), kNtpHeaderSize);
  return octets;
}

TEST(NtpHeader, ReadsEveryFieldWhereTheRfcPutsIt) {
  const auto octets = FromHex(
      "240106e7000000020000002147505300ed00377000000001a1b2c3d4e5f60718"
      "ed00378012345679ed003780123a0000");
  const auto header = NtpHeader::Parse(octets);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->leap, LeapIndicator::kNone);
  EXPECT_EQ(header->version, 4);
  EXPECT_EQ(header->mode, NtpMode::kServer);
  EXPECT_EQ(header->stratum, 1);
  EXPECT_EQ(header->poll, 6);
  EXPECT_EQ(header->precision, -25);
  EXPECT_EQ(header->root_delay.bits, 2U);
  EXPECT_EQ(header->root_dispersion.bits, 0x21U);
  EXPECT_EQ(header->reference_id, 0x47505300U);
  EXPECT_EQ(header->reference.bits, 0xed00377000000001U);
  EXPECT_EQ(header->origin.bits, 0xa1b2c3d4e5f60718U);
  EXPECT_EQ(header->receive.bits, 0xed00378012345679U);
  EXPECT_EQ(header->transmit.bits, 0xed003780123a0000U);
}

TEST(NtpHeader, EveryBitPatternIsAHeaderAndComesBack) {
  // Every value of every octet, each among random neighbours.
  FakeRandom random(7);
  for (std::size_t position = 0; position < kNtpHeaderSize; ++position) {
    for (unsigned value = 0; value < 256; ++value) {
      Octets octets{};
      random.Fill(octets);
      octets[position] = static_cast<std::uint8_t>(value);
      const auto header = NtpHeader::Parse(octets);
      ASSERT_TRUE(header);
      ASSERT_EQ(Written(*header), octets) << "octet " << position << " value " << value;
    }
  }
}

TEST(NtpHeader, RefusesEveryTruncation) {
  const Octets octets{};
  for (std::size_t size = 0; size < kNtpHeaderSize; ++size) {
    EXPECT_FALSE(NtpHeader::Parse(ByteView(octets).first(size))) << size;
  }
  EXPECT_TRUE(NtpHeader::Parse(octets));
}

TEST(NtpHeader, LeavesWhatFollowsAlone) {
  std::array<std::uint8_t, kNtpHeaderSize + 28> octets{};
  octets[kNtpHeaderSize] = 0xFF;
  EXPECT_TRUE(NtpHeader::Parse(octets));
}

TEST(NtpHeader, VersionDoesNotSpillIntoItsNeighbours) {
  NtpHeader header;
  header.version = 0xFF;
  header.mode = NtpMode::kReserved;
  EXPECT_EQ(Written(header)[0], 7 << 3);
}

}  // namespace
}  // namespace ntsd
