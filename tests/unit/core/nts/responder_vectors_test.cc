// The responder against worked packets, bit for bit.
#include <gtest/gtest.h>
#include <openssl/evp.h>

#include "tests/support/packet_builder.h"
#include "tests/support/responder_fixture.h"

namespace ntsd {
namespace {

using testing::FromHex;
using testing::PacketBuilder;
using testing::ResponderHarness;
using testing::ToHex;
using testing::Vector;
using testing::VectorKeys;
using testing::Vectors;

// The randomness of the worked answers: the low bits of both timestamps, the answer's nonce b0 b1 …, then the nonces of
// the cookies d0 …, e0 …, wrapping.
class VectorRandom : public Random {
 public:
  void Fill(ByteSpan target) override {
    if (target.size() == 8) {
      const Octets noise = FromHex("0000000079000000");
      std::copy(noise.begin(), noise.end(), target.begin());
      return;
    }
    for (std::size_t i = 0; i < target.size(); ++i) target[i] = static_cast<std::uint8_t>(next_ + i);
    next_ = static_cast<std::uint8_t>(next_ == 0xB0 ? 0xD0 : next_ + 0x10);
  }

 private:
  std::uint8_t next_ = 0xB0;
};

// 2026-01-01 and that fraction of a second, rounded up to a nanosecond.
UnixTime TimeOf(std::uint64_t fraction) {
  const auto ns = static_cast<std::int64_t>((fraction * 1'000'000'000 + 0xFFFF'FFFF) >> 32);
  return UnixTime(std::chrono::seconds(1'767'225'600) + Duration(ns));
}

testing::Answer AskAsInTheExample(Octets request) {
  VectorRandom random;
  ResponderHarness harness({testing::MakeMasterKey(0x0000A001)}, 0, {ListenerPolicy{}}, &random);
  ServerState state = ResponderHarness::SynchronizedState();
  state.reference_time = UnixTime(std::chrono::seconds(1'767'225'600 - 16));
  state.root_dispersion = NtpShort{0x21}.ToDuration();
  harness.state.Publish(state);
  std::array<std::uint8_t, kReplySizeMax> reply;
  Exchange exchange;
  exchange.request = request;
  exchange.reply = reply;
  exchange.source = ResponderHarness::DefaultSource();
  exchange.received = TimeOf(0x12345679);
  harness.responder.Prepare(std::span(&exchange, 1));
  harness.clock.Set(TimeOf(0x123A0000));
  harness.responder.Finish(std::span(&exchange, 1));
  return {exchange.reason, Octets(reply.begin(), reply.begin() + static_cast<std::ptrdiff_t>(exchange.reply_size))};
}

// The worked request of that AEAD with that many placeholders of zeros behind the cookie.
Octets WorkedRequest(AeadId aead, std::size_t placeholder_count) {
  const std::string number = std::to_string(AeadNumber(aead));
  const Octets cookie = Vector("cookie_" + number);
  PacketBuilder builder;
  builder.header().poll = 6;
  builder.header().precision = 0x20;
  builder.UniqueId().Cookie(cookie).Placeholders(placeholder_count, cookie.size());
  builder.Authenticate(*SelectAead(), VectorKeys(aead));
  return builder.Build();
}

std::string Sha256(ByteView octets) {
  std::array<std::uint8_t, 32> digest;
  EVP_Digest(octets.data(), octets.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
  return ToHex(digest);
}

TEST(WorkedPackets, RequestIsBuiltAsTheExample_R_AEAD_02) {
  for (const AeadId aead : {AeadId::kAesSivCmac256, AeadId::kAesSivCmac512, AeadId::kAes128GcmSiv}) {
    EXPECT_EQ(ToHex(WorkedRequest(aead, 0)), Vectors().at("req_" + std::to_string(AeadNumber(aead))));
  }
}

TEST(WorkedPackets, AnswersAreTheExamples_R_AEAD_09_10) {
  for (const char* number : {"15", "17", "30"}) {
    const testing::Answer answer = AskAsInTheExample(Vector(std::string("req_") + number));
    EXPECT_EQ(answer.reason, Reason::kNts);
    EXPECT_EQ(ToHex(answer.datagram), Vectors().at(std::string("res_") + number)) << number;
  }
}

TEST(WorkedPackets, AnswersToPlaceholdersAreTheExamples) {
  for (const AeadId aead : {AeadId::kAesSivCmac256, AeadId::kAesSivCmac512, AeadId::kAes128GcmSiv}) {
    for (const std::size_t count : {1U, 7U}) {
      const std::string name = std::to_string(AeadNumber(aead)) + "_ph" + std::to_string(count);
      const Octets request = WorkedRequest(aead, count);
      ASSERT_EQ(request.size(), Vectors().at("req_" + name + "_len"));
      EXPECT_EQ(ToHex(ByteView(request).last(16)), Vectors().at("req_" + name + "_tag"));
      const testing::Answer answer = AskAsInTheExample(request);
      if (aead == AeadId::kAesSivCmac512 && count == 7) {
        // 1,468 octets would be fragmented; the answer keeps to kReplySizeMax with fewer cookies (R-NTS-22).
        EXPECT_EQ(answer.datagram.size(), kReplySizeMax);
      } else {
        EXPECT_EQ(Sha256(answer.datagram), Vectors().at("res_" + name + "_sha256")) << name;
      }
    }
  }
}

TEST(WorkedPackets, NakIsTheExample_R_NTS_12) {
  Octets request = Vector("req_15");
  request[request.size() - 1] ^= 1;
  const testing::Answer answer = AskAsInTheExample(request);
  EXPECT_EQ(answer.reason, Reason::kBadAuthenticator);
  EXPECT_EQ(ToHex(answer.datagram), Vectors().at("nak"));
}

TEST(WorkedPackets, FifthVersionIsDropped_R_NTP_03) {
  const testing::Answer answer = AskAsInTheExample(Vector("ntpv5_req"));
  EXPECT_EQ(answer.reason, Reason::kBadVersion);
  EXPECT_TRUE(answer.datagram.empty());
}

}  // namespace
}  // namespace ntsd
