#include "core/nts/record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fakes.h"
#include "tests/support/hex.h"

namespace ntsd {
namespace {

using ::testing::ElementsAre;
using testing::FakeRandom;
using testing::FromHex;
using testing::ToHex;

const char kChronyRequest[] = "80010002 0000 80040004 001e 000f 04000000 80000000";

TEST(KeRecordReader, ReadsTheRecordsOfARequest) {
  const auto octets = FromHex(kChronyRequest);
  KeRecordReader reader(octets);
  const auto protocol = reader.Next();
  ASSERT_TRUE(protocol.has_value());
  EXPECT_TRUE(protocol->critical);
  EXPECT_EQ(protocol->type, KeRecordType::kNextProtocol);
  EXPECT_EQ(ToHex(protocol->body), "0000");
  EXPECT_EQ(ToHex(reader.Next()->body), "001e000f");
  const auto context = reader.Next();
  EXPECT_FALSE(context->critical);
  EXPECT_EQ(context->type, KeRecordType::kCompliantGcmSivContext);
  EXPECT_EQ(reader.remaining(), 4U);
  EXPECT_EQ(reader.Next()->type, KeRecordType::kEndOfMessage);
  EXPECT_FALSE(reader.Next().has_value());
  EXPECT_TRUE(reader.ok());
}

TEST(KeRecordReader, RefusesEveryTruncation) {
  const auto octets = FromHex("8004000a 00112233445566778899");
  for (std::size_t size = 1; size < octets.size(); ++size) {
    KeRecordReader reader(ByteView(octets).first(size));
    EXPECT_FALSE(reader.Next().has_value()) << size;
    EXPECT_FALSE(reader.ok()) << size;
  }
}

TEST(WriteKeRecord, WritesWhatTheReaderReads) {
  std::array<std::uint8_t, 32> memory{};
  ByteWriter writer(memory);
  WriteKeRecord(writer, true, KeRecordType::kPort, 4123);
  WriteKeRecord(writer, false, KeRecordType::kCompliantGcmSivContext);
  EXPECT_EQ(ToHex(writer.written()), "80070002101b04000000");
}

TEST(KeMessage, IsCompleteAtTheSameOctetHoweverItIsSplit) {
  const auto octets = FromHex(kChronyRequest);
  for (std::size_t cut = 0; cut < octets.size(); ++cut) {
    KeMessage message;
    EXPECT_EQ(message.Append(ByteView(octets).first(cut)), KeMessage::State::kIncomplete) << cut;
    EXPECT_EQ(message.Append(ByteView(octets).subspan(cut)), KeMessage::State::kComplete) << cut;
    EXPECT_EQ(ToHex(message.octets()), ToHex(octets));
  }
  KeMessage bytewise;
  for (std::size_t i = 0; i < octets.size(); ++i) {
    const auto expected = i + 1 < octets.size() ? KeMessage::State::kIncomplete : KeMessage::State::kComplete;
    ASSERT_EQ(bytewise.Append(ByteView(octets).subspan(i, 1)), expected) << i;
  }
}

// R-KE-02, R-KE-03: the bound itself is accepted, one octet more is not, and nothing more is kept.
TEST(KeMessage, TakesExactlyItsBound) {
  for (const std::size_t excess : {0U, 1U}) {
    std::vector<std::uint8_t> octets(kKeRequestSizeMax + excess);
    ByteWriter writer(octets);
    const std::vector<std::uint8_t> padding(kKeRequestSizeMax + excess - 8);
    WriteKeRecord(writer, false, static_cast<KeRecordType>(0x4abc), padding);
    WriteKeRecord(writer, true, KeRecordType::kEndOfMessage);
    ASSERT_TRUE(writer.ok());
    KeMessage message;
    EXPECT_EQ(message.Append(octets), excess == 0 ? KeMessage::State::kComplete : KeMessage::State::kTooLarge);
    KeMessage bytewise;
    for (const std::uint8_t octet : octets) bytewise.Append(ByteView(&octet, 1));
    EXPECT_EQ(bytewise.state(), message.state());
    EXPECT_LE(bytewise.octets().size(), kKeRequestSizeMax);
  }
}

TEST(KeMessage, RefusesARecordThatAnnouncesTooMuch) {
  KeMessage message;
  // 4 + 4092 is the bound; 4093 is one too many.
  EXPECT_EQ(message.Append(FromHex("4abc0ffc")), KeMessage::State::kIncomplete);
  message.Clear();
  EXPECT_EQ(message.Append(FromHex("4abc0ffd")), KeMessage::State::kTooLarge);
  EXPECT_EQ(message.Append(FromHex("80000000")), KeMessage::State::kTooLarge);
  message.Clear();
  EXPECT_EQ(message.Append(FromHex(kChronyRequest)), KeMessage::State::kComplete);
}

TEST(KeMessage, AnySplitOfAnyOctetsGivesOneState) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    FakeRandom random(seed);
    std::vector<std::uint8_t> octets(random.Below(64));
    // Small numbers make records that end.
    for (std::uint8_t& octet : octets) octet = static_cast<std::uint8_t>(random.Below(4) == 0 ? random.Below(256) : 0);
    KeMessage whole(48);
    whole.Append(octets);
    KeMessage split(48);
    for (std::size_t start = 0; start < octets.size() && split.state() == KeMessage::State::kIncomplete;) {
      const std::size_t size = std::min<std::size_t>(octets.size() - start, 1 + random.Below(9));
      split.Append(ByteView(octets).subspan(start, size));
      start += size;
    }
    // What follows End of Message in the same piece may still be too much; without it both must agree.
    if (split.state() != KeMessage::State::kComplete) {
      EXPECT_EQ(split.state(), whole.state());
    } else {
      EXPECT_NE(whole.state(), KeMessage::State::kIncomplete);
    }
  }
}

// R-EX-02.
TEST(KeExporterContext, NamesProtocolAeadAndDirection) {
  using enum KeDirection;
  EXPECT_THAT(KeExporterContext(AeadId::kAesSivCmac256, kClientToServer), ElementsAre(0, 0, 0, 15, 0));
  EXPECT_THAT(KeExporterContext(AeadId::kAesSivCmac256, kServerToClient), ElementsAre(0, 0, 0, 15, 1));
  EXPECT_THAT(KeExporterContext(AeadId::kAesSivCmac512, kServerToClient), ElementsAre(0, 0, 0, 17, 1));
  EXPECT_THAT(KeExporterContext(AeadId::kAes128GcmSiv, kClientToServer), ElementsAre(0, 0, 0, 30, 0));
}

// R-EX-01.
TEST(KeExporterLabel, Has30OctetsWithoutTerminator) {
  EXPECT_EQ(std::string(kKeExporterLabel).size(), 30U);
  EXPECT_EQ(std::string(kKeExporterLabel), "EXPORTER-network-time-security");
}

}  // namespace
}  // namespace ntsd
