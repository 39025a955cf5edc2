#include "core/base/bytes.h"

#include <gtest/gtest.h>

namespace ntsd {
namespace {

TEST(ByteReader, ReadsWireOrder) {
  const std::array<std::uint8_t, 15> octets{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  ByteReader reader(octets);
  EXPECT_EQ(reader.ReadU8(), 1);
  EXPECT_EQ(reader.ReadU16(), 0x0203);
  EXPECT_EQ(reader.ReadU32(), 0x04050607U);
  EXPECT_EQ(reader.ReadU64(), 0x08090A0B0C0D0E0FU);
  EXPECT_TRUE(reader.ok());
  EXPECT_EQ(reader.remaining(), 0U);
}

TEST(ByteReader, RefusesEveryTruncationForGood) {
  const std::array<std::uint8_t, 7> octets{1, 2, 3, 4, 5, 6, 7};
  for (std::size_t size = 0; size < octets.size(); ++size) {
    ByteReader reader(ByteView(octets).first(size));
    reader.Skip(4);
    EXPECT_EQ(reader.ReadBytes(3).size(), 0U);
    EXPECT_FALSE(reader.ok()) << size;
    // Not even an empty read or one that would fit makes it good again.
    EXPECT_EQ(reader.ReadU8(), 0);
    EXPECT_EQ(reader.remaining(), 0U);
    EXPECT_FALSE(reader.ok());
  }
}

TEST(ByteWriter, WritesWhatTheReaderReads) {
  std::array<std::uint8_t, 32> memory{};
  ByteWriter writer(memory);
  writer.WriteU8(0xA1);
  writer.WriteU16(0xB1B2);
  writer.WriteU32(0xC1C2C3C4);
  writer.WriteU64(0xD1D2D3D4D5D6D7D8);
  writer.WriteZeros(2);
  writer.WriteBytes(std::array<std::uint8_t, 3>{7, 8, 9});
  ASSERT_TRUE(writer.ok());
  ASSERT_EQ(writer.size(), 20U);
  ByteReader reader(writer.written());
  EXPECT_EQ(reader.ReadU8(), 0xA1);
  EXPECT_EQ(reader.ReadU16(), 0xB1B2);
  EXPECT_EQ(reader.ReadU32(), 0xC1C2C3C4U);
  EXPECT_EQ(reader.ReadU64(), 0xD1D2D3D4D5D6D7D8U);
  EXPECT_EQ(reader.ReadU16(), 0);
  EXPECT_EQ(reader.ReadBytes(3)[2], 9);
}

TEST(ByteWriter, NeverWritesPastTheEnd) {
  std::array<std::uint8_t, 8> memory{};
  ByteWriter writer(ByteSpan(memory).first(6));
  writer.WriteU32(0xFFFFFFFF);
  writer.WriteU32(0xFFFFFFFF);
  EXPECT_FALSE(writer.ok());
  EXPECT_EQ(writer.size(), 4U);
  writer.WriteU8(0xFF);
  EXPECT_EQ(writer.size(), 4U) << "a failed writer stays failed";
  EXPECT_EQ(memory[4] | memory[5] | memory[6] | memory[7], 0);
}

TEST(PadToWord, RoundsUpToFour) {
  EXPECT_EQ(PadToWord(0), 0U);
  EXPECT_EQ(PadToWord(1), 4U);
  EXPECT_EQ(PadToWord(4), 4U);
  EXPECT_EQ(PadToWord(17), 20U);
}

}  // namespace
}  // namespace ntsd
