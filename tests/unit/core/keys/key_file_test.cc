#include "core/keys/key_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/core/keys/ring_builder.h"

namespace ntsd {
namespace {

using testing::At;
using ::testing::ElementsAre;
using testing::FakeRandom;
using ::testing::HasSubstr;
using testing::Ids;
using ::testing::IsEmpty;
using testing::KeyWithId;
using testing::RingOf;

constexpr AeadId kSiv = AeadId::kAesSivCmac256;
constexpr AeadId kGcmSiv = AeadId::kAes128GcmSiv;

// Puts the digest that fits under a text, so that only what the test is about is wrong.
std::string Signed(std::string body) {
  Digest digest;
  digest.Add(ByteView(reinterpret_cast<const std::uint8_t*>(body.data()), body.size()));
  SecretText line;
  body += "checksum ";
  for (const std::uint8_t octet : digest.Finish()) {
    body += "0123456789abcdef"[octet >> 4];
    body += "0123456789abcdef"[octet & 15];
  }
  return body + "\n";
}

std::string Text(const StoredRing& ring) { return std::string(std::string_view(WriteKeyFile(ring))); }
std::string Body(const StoredRing& ring) {
  const std::string text = Text(ring);
  return text.substr(0, text.find("checksum "));
}
std::string Replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t position = text.find(from);
  EXPECT_NE(position, std::string::npos) << from;
  return text.replace(position, from.size(), to);
}
KeyFileError ErrorOf(std::string_view text) {
  const auto parsed = ParseKeyFile(text, At(0));
  EXPECT_FALSE(parsed) << text;
  return parsed ? KeyFileError{} : parsed.error();
}

// --- Ours ---

TEST(KeyFile, ReadsBackWhatItWrites) {
  StoredRing mixed = RingOf({11, 10, 9, 8}, {0xFFFFFFFF, 0, 7});
  mixed.keys[0] = KeyWithId(11, kGcmSiv);
  for (const StoredRing& ring : {RingOf({1, 0}), RingOf({11, 10, 9}, {}, kGcmSiv), mixed}) {
    const auto parsed = ParseKeyFile(Text(ring), At(77));
    ASSERT_TRUE(parsed) << DescribeKeyFileError(parsed.error());
    EXPECT_EQ(parsed->ring, ring);
    EXPECT_EQ(parsed->format, KeyFileFormat::kNtsd);
  }
}

// Times are told by clocks, which may be wrong; a file that we could not read would cost all cookies.
TEST(KeyFile, ReadsBackTimesThatNoClockShouldTell) {
  for (const std::int64_t seconds : {-1'000'000'000LL, -1LL, 7'258'118'400LL, 9'000'000'000LL}) {
    StoredRing ring = RingOf({11, 10, 9});
    ring.current_since = ring.keys[0].created = UnixTime(std::chrono::seconds(seconds));
    const auto parsed = ParseKeyFile(Text(ring), At(0));
    ASSERT_TRUE(parsed) << DescribeKeyFileError(parsed.error());
    EXPECT_EQ(Ids(parsed->ring.keys), Ids(ring.keys));
  }
}

TEST(KeyFile, ReadsBackTheLargestRing) {
  FakeRandom random;
  StoredRing ring = MakeFreshRing(At(0), random);
  while (ring.keys.size() < kKeysPerRingMax) ring = RotateRing(ring, 30, At(0), At(0), random);
  for (KeyId id = 0; id < kRevokedKeysMax; ++id) ring.revoked.push_back(0x10000000 + ring.keys[0].id + id);
  const auto parsed = ParseKeyFile(Text(ring), At(0));
  ASSERT_TRUE(parsed) << DescribeKeyFileError(parsed.error());
  EXPECT_EQ(parsed->ring, ring);
}

TEST(KeyFile, LooksAsDocumented) {
  StoredRing ring = RingOf({0x4F2A0003, 0x4F2A0002, 0x4F2A0001}, {0x4F2A0000});
  ring.keys[0].key.Assign(std::vector<std::uint8_t>(32, 0xAB));
  EXPECT_EQ(Text(ring).substr(0, 94),
            "ntsd-keys 1\n# Master keys of NTS cookies: keep secret. Written by ntsd; do not edit.\ncurrent-s");
  EXPECT_THAT(Text(ring), HasSubstr("\ncurrent-since 2026-01-01T00:00:00Z\n"
                                    "key 4f2a0003 future 15 2026-01-01T00:09:39Z "
                                    "abababababababababababababababababababababababababababababababab\n"
                                    "key 4f2a0002 current 15 "));
  EXPECT_THAT(Text(ring), HasSubstr("\nkey 4f2a0001 past 15 "));
  EXPECT_THAT(Text(ring), HasSubstr("\nrevoked 4f2a0000\nchecksum "));
}

TEST(KeyFile, RefusesEveryTruncation_R_CK_10) {
  const std::string text = Text(RingOf({11, 10, 9, 8}, {7}));
  for (std::size_t size = 0; size < text.size(); ++size) {
    const KeyFileError error = ErrorOf(text.substr(0, size));
    // Only a cut inside the very first word looks like something else, and that is not overwritten either.
    const bool first_word = size > 0 && size < std::string_view("ntsd-keys ").size();
    EXPECT_EQ(error.problem, first_word ? KeyFileProblem::kForeign : KeyFileProblem::kTorn) << "at " << size;
  }
}

TEST(KeyFile, RefusesEveryFlippedBit) {
  const std::string text = Text(RingOf({11, 10}));
  for (std::size_t i = 0; i < text.size() * 8; ++i) {
    std::string broken = text;
    broken[i / 8] = static_cast<char>(broken[i / 8] ^ (1 << i % 8));
    ASSERT_FALSE(ParseKeyFile(broken, At(0))) << "bit " << i;
  }
}

TEST(KeyFile, RefusesTextAfterTheEnd) {
  const std::string text = Text(RingOf({11, 10}));
  EXPECT_EQ(ErrorOf(text + "\n").problem, KeyFileProblem::kTorn);
  EXPECT_EQ(ErrorOf(text + text).problem, KeyFileProblem::kTorn);
}

TEST(KeyFile, TellsForeignFilesApart) {
  EXPECT_EQ(ErrorOf("#!/bin/sh\n").problem, KeyFileProblem::kForeign);
  EXPECT_EQ(ErrorOf("NKS2\n1.0\n").problem, KeyFileProblem::kForeign);
  EXPECT_EQ(ErrorOf(std::string(4096, '\0')).problem, KeyFileProblem::kForeign);
  EXPECT_EQ(ErrorOf("-----BEGIN PRIVATE KEY-----\n").line, 1U);
}

TEST(KeyFile, TellsANewerVersionFromATornFile) {
  EXPECT_EQ(ErrorOf("ntsd-keys 2\nanything else\n").problem, KeyFileProblem::kNewer);
  EXPECT_EQ(ErrorOf("ntsd-keys 1\nanything else\n").problem, KeyFileProblem::kTorn);
}

TEST(KeyFile, RefusesFilesBeyondTheBound) {
  EXPECT_EQ(ErrorOf(std::string(kKeyFileSizeMax + 1, 'x')).problem, KeyFileProblem::kTooLarge);
}

TEST(KeyFile, NamesTheLineThatIsWrongAndNeverWhatStandsThere) {
  const StoredRing ring = RingOf({0x10B, 0x10A, 0x109}, {7});
  const std::string body = Body(ring);
  struct Case {
    std::string text;
    KeyFileProblem problem;
    std::size_t line;
  };
  const Case cases[] = {
      {Replaced(body, "current-since", "since"), KeyFileProblem::kBadLine, 3},
      {Replaced(body, "2026-01-01T00:00:00Z", "2026-02-30T00:00:00Z"), KeyFileProblem::kBadLine, 3},
      {Replaced(body, "2026-01-01T00:00:00Z", "2026-01-01T24:00:00Z"), KeyFileProblem::kBadLine, 3},
      {Replaced(body, "2026-01-01T00:00:00Z", "1969-12-31T23:59:59Z"), KeyFileProblem::kBadLine, 3},
      {Replaced(body, "2026-01-01T00:00:00Z", "2200-01-01T00:00:00Z"), KeyFileProblem::kBadLine, 3},
      {Replaced(body, "future", "current"), KeyFileProblem::kBadLine, 4},
      {Replaced(body, "key 0000010a", "key 0000010g"), KeyFileProblem::kBadLine, 5},
      {Replaced(body, "key 0000010a", "key 00000010a"), KeyFileProblem::kBadLine, 5},
      {Replaced(body, "current 15", "current 17"), KeyFileProblem::kBadLine, 5},
      {Replaced(body, "current 15", "current 30"), KeyFileProblem::kBadLine, 5},
      {Replaced(body, "past 15", "past"), KeyFileProblem::kBadLine, 6},
      {Replaced(body, "\nrevoked", "ab\nrevoked"), KeyFileProblem::kBadLine, 6},
      {Replaced(body, "revoked 00000007", "revoked 7 7"), KeyFileProblem::kBadLine, 7},
      {Replaced(body, "revoked", "withdrawn"), KeyFileProblem::kBadLine, 7},
      {body + "key 00000108 past 15", KeyFileProblem::kTorn, 8},
      {body + "\n", KeyFileProblem::kBadLine, 8},
      // Not one text for one ring.
      {Replaced(body, "current 15", "current  15"), KeyFileProblem::kBadLine, 0},
      {Replaced(body, "key 0000010a", "key 0000010A"), KeyFileProblem::kBadLine, 0},
      {Replaced(body, "keep secret", "keep public"), KeyFileProblem::kBadLine, 0},
      {Replaced(body, "00000007", "7"), KeyFileProblem::kBadLine, 0},
  };
  for (const Case& test : cases) {
    const KeyFileError error = ErrorOf(Signed(test.text));
    EXPECT_EQ(error.problem, test.problem) << test.text;
    EXPECT_EQ(error.line, test.line) << test.text;
    // No key in any message: none of them has as many digits in a row.
    const std::string message = DescribeKeyFileError(error);
    EXPECT_THAT(message, HasSubstr("expected "));
    EXPECT_THAT(message, ::testing::Not(::testing::ContainsRegex("[0-9a-f]{9}")));
  }
}

TEST(KeyFile, RefusesWhatIsNoRing) {
  const auto broken = [](const StoredRing& ring) { return ErrorOf(Text(ring)); };
  EXPECT_EQ(broken(RingOf({11})).problem, KeyFileProblem::kBadRing);
  EXPECT_EQ(broken(RingOf({})).problem, KeyFileProblem::kBadRing);
  EXPECT_EQ(broken(RingOf({12, 10})).problem, KeyFileProblem::kBadRing);
  EXPECT_EQ(broken(RingOf({11, 10, 9, 9})).problem, KeyFileProblem::kBadRing);
  EXPECT_EQ(broken(RingOf({11, 10, 9}, {9})).problem, KeyFileProblem::kBadRing);
  StoredRing large = RingOf({1, 0});
  for (KeyId id = 2; id < 33; ++id) large.keys.push_back(KeyWithId(id));
  EXPECT_EQ(broken(large), (KeyFileError{KeyFileProblem::kBadRing, 36, "at most 32 keys"}));
}

// --- chrony's ---

constexpr std::string_view kNks0 =
    "NKS0\n"
    "15 4711.3\n"
    "5B8C3A10 000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F\n"
    "00C2E8D1 A0A1A2A3A4A5A6A7A8A9AAABACADAEAFA0A1A2A3A4A5A6A7A8A9AAABACADAEAF\n"
    "FFFFFFF2 B0B1B2B3B4B5B6B7B8B9BABBBCBDBEBFB0B1B2B3B4B5B6B7B8B9BABBBCBDBEBF\n"
    "00000003 C0C1C2C3C4C5C6C7C8C9CACBCCCDCECFC0C1C2C3C4C5C6C7C8C9CACBCCCDCECF\n";
constexpr std::string_view kNks1 =
    "NKS1\n"
    "12.0\n"
    "00000013 000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F 15\n"
    "00000014 A0A1A2A3A4A5A6A7A8A9AAABACADAEAF 30\n"
    "00000015 B0B1B2B3B4B5B6B7B8B9BABBBCBDBEBF 30\n"
    "00000016 C0C1C2C3C4C5C6C7C8C9CACBCCCDCECF 30\n";

TEST(ChronyKeys, ReadsNks0) {
  const auto parsed = ParseKeyFile(kNks0, At(10000));
  ASSERT_TRUE(parsed) << DescribeKeyFileError(parsed.error());
  EXPECT_EQ(parsed->format, KeyFileFormat::kChrony);
  EXPECT_THAT(Ids(parsed->ring.keys), ElementsAre(3, 0xFFFFFFF2, 0x00C2E8D1, 0x5B8C3A10));
  EXPECT_EQ(parsed->ring.current_since, At(10000 - 4711));
  EXPECT_EQ(parsed->ring.current().aead, kSiv);
  EXPECT_EQ(parsed->ring.current().key.view()[31], 0xBF);
  EXPECT_EQ(parsed->ring.future().key.view()[0], 0xC0);
  EXPECT_THAT(parsed->ring.revoked, IsEmpty());
}

TEST(ChronyKeys, ReadsNks1) {
  const auto parsed = ParseKeyFile(kNks1, At(0));
  ASSERT_TRUE(parsed) << DescribeKeyFileError(parsed.error());
  EXPECT_THAT(Ids(parsed->ring.keys), ElementsAre(0x16, 0x15, 0x14, 0x13));
  EXPECT_EQ(parsed->ring.future().aead, kGcmSiv);
  EXPECT_EQ(parsed->ring.keys[3].aead, kSiv);
  EXPECT_EQ(parsed->ring.current_since, At(-12));
}

TEST(ChronyKeys, ReadsWhatChronyItselfWouldRead) {
  std::string text(kNks0);
  text.pop_back();  // the last line without its end
  EXPECT_TRUE(ParseKeyFile(text, At(0)));
  EXPECT_TRUE(ParseKeyFile(Replaced(std::string(kNks0), "15 4711.3", "  15\t-4.0 "), At(0)));
  EXPECT_TRUE(ParseKeyFile(Replaced(std::string(kNks0), "00C2E8D1 A0A1", "c2e8d1   a0a1"), At(0)));
  EXPECT_TRUE(ParseKeyFile(std::string(kNks0) + "\n \n", At(0)));
}

TEST(ChronyKeys, RefusesEveryTruncation_R_CK_10) {
  for (const std::string_view text : {kNks0, kNks1}) {
    // Without the last line's end all keys are there.
    for (std::size_t size = 0; size + 1 < text.size(); ++size) {
      EXPECT_FALSE(ParseKeyFile(text.substr(0, size), At(0))) << "at " << size;
    }
  }
}

TEST(ChronyKeys, NamesTheLineThatIsWrong) {
  const std::string nks0(kNks0);
  const std::string nks1(kNks1);
  struct Case {
    std::string text;
    KeyFileProblem problem;
    std::size_t line;
  };
  const Case cases[] = {
      {"NKS0\n", KeyFileProblem::kTorn, 2},
      {Replaced(nks0, "15 4711.3", "4711.3"), KeyFileProblem::kBadLine, 2},
      {Replaced(nks0, "15 4711.3", "17 4711.3"), KeyFileProblem::kBadLine, 2},
      {Replaced(nks0, "15 4711.3", "15 nan"), KeyFileProblem::kBadLine, 2},
      {Replaced(nks0, "15 4711.3", "15 1e3"), KeyFileProblem::kBadLine, 2},
      {Replaced(nks0, "15 4711.3", "15 4294967295.0"), KeyFileProblem::kBadLine, 2},
      {Replaced(nks0, "15 4711.3", "30 4711.3"), KeyFileProblem::kBadLine, 3},
      {Replaced(nks1, "12.0", "15 12.0"), KeyFileProblem::kBadLine, 2},
      {Replaced(nks1, " 15\n", " 30\n"), KeyFileProblem::kBadLine, 3},
      {Replaced(nks1, "00000014", "00000015"), KeyFileProblem::kBadRing, 4},
      {Replaced(nks1, "00000014", "X0000014"), KeyFileProblem::kBadLine, 4},
      {Replaced(nks0, "FFFFFFF2 B0", "FFFFFFF2 G0"), KeyFileProblem::kBadLine, 5},
      {nks0.substr(0, nks0.find("00000003")), KeyFileProblem::kTorn, 6},
      {nks0 + nks0, KeyFileProblem::kBadLine, 7},
  };
  for (const Case& test : cases) {
    const KeyFileError error = ErrorOf(test.text);
    EXPECT_EQ(error.problem, test.problem) << test.text;
    EXPECT_EQ(error.line, test.line) << test.text;
    EXPECT_THAT(DescribeKeyFileError(error), ::testing::Not(::testing::ContainsRegex("[0-9A-F]{9}")));
  }
}

TEST(ChronyKeys, WritesBackWhatItRead) {
  for (const std::string_view text : {kNks0, kNks1}) {
    FakeRandom random;
    const auto parsed = ParseKeyFile(text, At(0));
    ASSERT_TRUE(parsed);
    const Duration age = text == kNks0 ? Duration(std::chrono::milliseconds(4'711'300)) : std::chrono::seconds(12);
    const ChronyExport written = WriteChronyKeys(parsed->ring, age, random);
    EXPECT_EQ(std::string_view(written.text), text);
    EXPECT_EQ(written.needs_chrony_4_6, text == kNks1);
    EXPECT_EQ(written.filled_up, 0U);
    EXPECT_THAT(written.left_out, IsEmpty());
  }
}

// What the export says, as chrony reads it.
StoredRing Exported(const StoredRing& ring, ChronyExport* result = nullptr) {
  FakeRandom random(5);
  ChronyExport written = WriteChronyKeys(ring, std::chrono::seconds(60), random);
  const auto parsed = ParseKeyFile(written.text, At(60));
  EXPECT_TRUE(parsed) << DescribeKeyFileError(parsed.error());
  if (result != nullptr) *result = std::move(written);
  return parsed ? parsed->ring : StoredRing();
}

TEST(ChronyExport, FillsEmptyPastPlacesWithRandomKeys) {
  ChronyExport result;
  const StoredRing ring = RingOf({11, 10}, {9, 8});
  const StoredRing exported = Exported(ring, &result);
  EXPECT_EQ(result.filled_up, 2U);
  EXPECT_EQ(exported.future().key, ring.future().key);
  EXPECT_EQ(exported.current().key, ring.current().key);
  for (const MasterKey& filler : exported.past()) {
    EXPECT_EQ(ring.Find(filler.id), nullptr);
    EXPECT_FALSE(ring.IsRevoked(filler.id));
  }
}

TEST(ChronyExport, TellsWhichKeysChronyLoses) {
  ChronyExport result;
  const StoredRing exported = Exported(RingOf({11, 10, 9, 8, 7, 6}), &result);
  EXPECT_THAT(Ids(exported.keys), ElementsAre(11, 10, 9, 8));
  EXPECT_THAT(result.left_out, ElementsAre(7, 6));
  EXPECT_EQ(result.filled_up, 0U);
}

TEST(ChronyExport, PutsTheNewestKeyThatFitsIntoThePlaceOfARevokedOne) {
  ChronyExport result;
  // 9 was revoked: 5 has the same low bits.
  EXPECT_THAT(Ids(Exported(RingOf({11, 10, 8, 7, 6, 5}, {9}), &result).keys), ElementsAre(11, 10, 5, 8));
  EXPECT_THAT(result.left_out, ElementsAre(7, 6));
}

TEST(ChronyExport, WritesNks1WhenAnyKeyIsOfAead30) {
  ChronyExport result;
  StoredRing ring = RingOf({11, 10, 9, 8});
  Exported(ring, &result);
  EXPECT_FALSE(result.needs_chrony_4_6);
  EXPECT_TRUE(result.text.starts_with("NKS0\n15 60.0\n0000000"));
  ring.keys[3] = KeyWithId(8, kGcmSiv);
  Exported(ring, &result);
  EXPECT_TRUE(result.needs_chrony_4_6);
  EXPECT_TRUE(result.text.starts_with("NKS1\n60.0\n0000000"));
  Exported(RingOf({11, 10}, {}, kGcmSiv), &result);
  EXPECT_TRUE(result.needs_chrony_4_6);
}

TEST(ChronyExport, IsPossibleAfterAnyHistory) {
  FakeRandom random(99);
  StoredRing ring = MakeFreshRing(At(0), random);
  for (int i = 0; i < 1000; ++i) {
    if (random.Below(3) == 0) {
      ring = *RevokeKey(ring, ring.keys[random.Below(ring.keys.size())].id, At(0), random);
    } else if (random.Below(20) == 0) {
      ring = RevokeAllKeys(ring, At(0), random);
    } else {
      ring = RotateRing(ring, 7, At(0), At(0), random);
    }
    const StoredRing exported = Exported(ring);
    ASSERT_EQ(exported.keys.size(), 4U);
    ASSERT_EQ(exported.future().key, ring.future().key);
    ASSERT_EQ(exported.current().key, ring.current().key);
  }
}

TEST(ChronyExport, TheAgeIsNeverNegative) {
  FakeRandom random;
  EXPECT_TRUE(WriteChronyKeys(RingOf({11, 10}), std::chrono::seconds(-5), random).text.starts_with("NKS0\n15 0.0\n"));
}

}  // namespace
}  // namespace ntsd
