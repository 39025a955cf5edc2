// What servers send, taken apart: nothing may be overlooked, and nothing of it may reach a terminal raw.
#include <gtest/gtest.h>

#include "tests/conformance/probe/ke_answer.h"
#include "tests/conformance/probe/ntp_answer.h"
#include "tests/conformance/probe/text.h"
#include "tests/support/packet_builder.h"

namespace ntsd::conformance {
namespace {

using testing::PacketBuilder;

KeRequest Grant() { return Offer().Record(false, 5, Octets(100)).Record(false, 5, Octets(100, 1)); }

TEST(KeAnswerView, TakesAGrantForOne) {
  const KeAnswerView answer = KeAnswerView::Parse(Grant().End());
  EXPECT_TRUE(answer.IsFramed());
  EXPECT_TRUE(answer.IsGrant());
  EXPECT_TRUE(answer.IsGrant(15));
  EXPECT_FALSE(answer.IsGrant(30));
  EXPECT_EQ(answer.Cookies().size(), 2U);
  EXPECT_FALSE(answer.IsAnyError());
}

TEST(KeAnswerView, IsNotFramedWithoutExactlyOneEndOfMessageAtTheEnd) {
  EXPECT_FALSE(KeAnswerView::Parse({}).IsFramed());
  EXPECT_FALSE(KeAnswerView::Parse(Grant().octets()).IsFramed());
  Octets twice = Grant().End();
  testing::Append(twice, Octets{0x80, 0, 0, 0});
  EXPECT_FALSE(KeAnswerView::Parse(twice).IsFramed());
  EXPECT_FALSE(KeAnswerView::Parse(KeRequest().Flag(false, KeRecordType::kEndOfMessage).octets()).IsFramed());
  EXPECT_FALSE(KeAnswerView::Parse(KeRequest().Record(true, 0, Octets{1}).octets()).IsFramed());
}

TEST(KeAnswerView, SeesEveryTruncation) {
  const Octets whole = Grant().End();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(KeAnswerView::Parse(ByteView(whole).first(size)).IsFramed()) << size;
  }
}

TEST(KeAnswerView, TellsErrorsApartAndFromWhatComesWithThem) {
  const Octets error = KeRequest().Numbers(true, KeRecordType::kError, {1}).End();
  EXPECT_TRUE(KeAnswerView::Parse(error).IsError(KeErrorCode::kBadRequest));
  EXPECT_FALSE(KeAnswerView::Parse(error).IsError(KeErrorCode::kUnrecognizedCriticalRecord));
  const Octets uncritical = KeRequest().Numbers(false, KeRecordType::kError, {1}).End();
  EXPECT_FALSE(KeAnswerView::Parse(uncritical).IsAnyError());
  const Octets with_cookie = KeRequest().Numbers(true, KeRecordType::kError, {1}).Record(false, 5, Octets(100)).End();
  EXPECT_FALSE(KeAnswerView::Parse(with_cookie).IsAnyError());
}

TEST(KeAnswerView, DescribesWithoutRawOctets) {
  const Octets hostile = KeRequest().Text(true, KeRecordType::kServer, "\x1b[2Jevil\n").End();
  const std::string text = Describe(KeAnswerView::Parse(hostile));
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_NE(text.find("\\x1b[2Jevil\\x0a"), std::string::npos) << text;
}

Octets Header(std::uint8_t stratum, std::uint32_t reference_id = 0) {
  PacketBuilder builder;
  builder.header().mode = NtpMode::kServer;
  builder.header().stratum = stratum;
  builder.header().reference_id = reference_id;
  return builder.Build();
}

TEST(NtpAnswer, KnowsKissesFromTime) {
  EXPECT_FALSE(Dissect(Header(1, 0x47505300))->IsKiss());
  EXPECT_FALSE(Dissect(Header(0))->IsKiss());
  EXPECT_TRUE(Dissect(Header(0, 0x4E54534E))->IsKiss(KissCode::kNtsn));
  EXPECT_TRUE(Dissect(Header(0, 0x52415445))->IsRefusal());
  EXPECT_FALSE(Dissect(Header(0, 0x494E4954))->IsRefusal()) << "INIT: the server has no time yet";
  EXPECT_FALSE(Dissect(Octets(47)).has_value());
}

// A server's answer to a client with these keys.
Octets SealedAnswer(const AssociationKeys& keys, const Octets& plaintext) {
  AssociationKeys swapped = keys;
  swapped.c2s = keys.s2c;
  PacketBuilder builder;
  builder.header().mode = NtpMode::kServer;
  builder.header().stratum = 1;
  builder.UniqueId();
  builder.Authenticate(*SelectAead(), swapped, {.plaintext = plaintext});
  return builder.Build();
}

TEST(NtpAnswer, OpensWhatIsSealedWithS2cAndNothingElse) {
  AssociationKeys keys;
  keys.c2s.fill(1);
  keys.s2c.fill(2);
  const Octets datagram = SealedAnswer(keys, testing::FieldOctets({.type = 0x0204, .body = Octets(100, 7)}));
  std::optional<NtpAnswer> answer = Dissect(datagram);
  ASSERT_TRUE(answer && answer->is_well_formed && answer->authenticator);
  Open(*answer, keys);
  EXPECT_TRUE(answer->is_authentic);
  EXPECT_TRUE(answer->encrypted_is_well_formed);
  ASSERT_EQ(answer->cookies.size(), 1U);
  EXPECT_EQ(answer->cookies.front(), Octets(100, 7));
  EXPECT_EQ(answer->UniqueId().size(), 32U);

  for (std::size_t position = 0; position < datagram.size(); ++position) {
    // The authenticator's own header is not authenticated; its lengths are.
    Octets damaged = datagram;
    damaged[position] ^= 1;
    std::optional<NtpAnswer> other = Dissect(damaged);
    Open(*other, keys);
    const bool is_type_or_padding = !other->authenticator.has_value();
    EXPECT_TRUE(!other->is_authentic || is_type_or_padding) << position;
  }
}

TEST(NtpAnswer, SeesFieldsThatDoNotFillTheDatagram) {
  Octets datagram = Header(1);
  testing::Append(datagram, testing::FieldOctets({.type = 0x0104, .body = Octets(32)}));
  EXPECT_TRUE(Dissect(datagram)->is_well_formed);
  datagram.resize(datagram.size() - 4);
  EXPECT_FALSE(Dissect(datagram)->is_well_formed);
  Octets shorter = Header(1);
  testing::Append(shorter, testing::FieldOctets({.type = 0x0104, .body = Octets(12)}));
  EXPECT_FALSE(Dissect(shorter)->is_well_formed) << "the last field has 28 octets at least";
}

TEST(Text, CutsAndEscapes) {
  EXPECT_EQ(Hex(Octets{0xDE, 0xAD}), "dead");
  EXPECT_EQ(Hex(Octets(40), 2), "0000… (40 octets)");
  EXPECT_EQ(Printable("a\\b\x7f"), "a\\x5cb\\x7f");
  EXPECT_EQ(Printable("\xc3\xa9"), "\\xc3\\xa9");
  EXPECT_LT(Printable(std::string(10000, 'x')).size(), 300U);
  EXPECT_EQ(Count(1, "cookie") + ", " + Count(2, "cookie"), "1 cookie, 2 cookies");
}

}  // namespace
}  // namespace ntsd::conformance
