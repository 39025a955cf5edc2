#include "core/nts/cookie.h"

#include <gtest/gtest.h>

#include <set>

#include "core/nts/client.h"
#include "tests/support/responder_fixture.h"

namespace ntsd {
namespace {

using testing::FakeRandom;
using testing::MakeMasterKey;
using testing::Vector;
using testing::VectorKeys;

constexpr AeadId kClientAeads[] = {AeadId::kAesSivCmac256, AeadId::kAes128GcmSiv, AeadId::kAesSivCmac512};
constexpr AeadId kMasterAeads[] = {AeadId::kAesSivCmac256, AeadId::kAes128GcmSiv};

// Gives the nonce of the worked cookies: c0 c1 c2 …
class VectorNonce : public Random {
 public:
  void Fill(ByteSpan target) override {
    for (std::size_t i = 0; i < target.size(); ++i) target[i] = static_cast<std::uint8_t>(0xC0 + i);
  }
};

std::shared_ptr<const KeySet> SetWith(AeadId master) {
  const MasterKey keys[] = {MakeMasterKey(0x0000A001, master)};
  return KeySet::Make(keys, 0, 1, false);
}

Octets Seal(const KeySet& set, const AssociationKeys& keys, Random& random) {
  Octets cookie(CookieSize(set.current().key.aead(), keys.aead));
  const CookieSealJob job{.keys = &keys, .cookie = cookie.data()};
  SealCookies(*SelectAead(), set, random, std::span(&job, 1));
  return cookie;
}

bool Opens(const KeySet& set, ByteView cookie, AssociationKeys& keys) {
  CookieOpenJob job{.cookie = cookie, .keys = &keys};
  OpenCookies(*SelectAead(), set, std::span(&job, 1));
  return job.ok;
}

TEST(Cookie, MatchesTheWorkedCookies_R_CK_14) {
  VectorNonce nonce;
  for (const AeadId master : kMasterAeads) {
    const auto set = SetWith(master);
    for (const AeadId client : kClientAeads) {
      const std::string name =
          "cookie_" + std::to_string(AeadNumber(client)) + (master == AeadId::kAes128GcmSiv ? "_gcm_siv_master" : "");
      EXPECT_EQ(Seal(*set, VectorKeys(client), nonce), Vector(name)) << name;
    }
  }
}

TEST(Cookie, HasOneLengthForEachAead_R_CK_04) {
  EXPECT_EQ(CookieSize(AeadId::kAesSivCmac256, AeadId::kAesSivCmac256), 100U);
  EXPECT_EQ(CookieSize(AeadId::kAesSivCmac256, AeadId::kAes128GcmSiv), 68U);
  EXPECT_EQ(CookieSize(AeadId::kAesSivCmac256, AeadId::kAesSivCmac512), 164U);
  EXPECT_EQ(CookieSize(AeadId::kAes128GcmSiv, AeadId::kAesSivCmac256), 96U);
  EXPECT_EQ(CookieSize(AeadId::kAes128GcmSiv, AeadId::kAes128GcmSiv), 64U);
  EXPECT_EQ(CookieSize(AeadId::kAes128GcmSiv, AeadId::kAesSivCmac512), 160U);
  for (const AeadId master : kMasterAeads) {
    for (std::size_t size = 0; size < 300; ++size) {
      const auto client = ClientAeadFromCookieSize(master, size);
      EXPECT_EQ(client.has_value(), client && CookieSize(master, *client) == size) << size;
    }
  }
}

TEST(Cookie, GivesTheKeysBack_R_CK_01) {
  FakeRandom random;
  for (const AeadId master : kMasterAeads) {
    const auto set = SetWith(master);
    for (const AeadId client : kClientAeads) {
      const AssociationKeys keys = VectorKeys(client);
      AssociationKeys opened;
      ASSERT_TRUE(Opens(*set, Seal(*set, keys, random), opened));
      EXPECT_EQ(opened.aead, client);
      EXPECT_TRUE(std::equal(keys.c2s.begin(), keys.c2s.begin() + AeadKeySize(client), opened.c2s.begin()));
      EXPECT_TRUE(std::equal(keys.s2c.begin(), keys.s2c.begin() + AeadKeySize(client), opened.s2c.begin()));
    }
  }
}

TEST(Cookie, RefusesEveryFlippedBit_R_CK_01) {
  FakeRandom random;
  for (const AeadId master : kMasterAeads) {
    const auto set = SetWith(master);
    for (const AeadId client : kClientAeads) {
      Octets cookie = Seal(*set, VectorKeys(client), random);
      AssociationKeys opened;
      for (std::size_t bit = 0; bit < cookie.size() * 8; ++bit) {
        cookie[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
        EXPECT_FALSE(Opens(*set, cookie, opened)) << "bit " << bit;
        cookie[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
      }
      EXPECT_TRUE(Opens(*set, cookie, opened));
    }
  }
}

TEST(Cookie, RefusesEveryOtherLength_R_NTS_12) {
  FakeRandom random;
  const auto set = SetWith(AeadId::kAesSivCmac256);
  const Octets cookie = Seal(*set, VectorKeys(AeadId::kAesSivCmac512), random);
  AssociationKeys opened;
  for (std::size_t size = 0; size < cookie.size(); ++size) {
    EXPECT_FALSE(Opens(*set, ByteView(cookie).first(size), opened)) << size;
  }
  for (std::size_t more = 1; more <= 64; ++more) {
    Octets longer = cookie;
    longer.resize(cookie.size() + more);
    EXPECT_FALSE(Opens(*set, longer, opened)) << more;
  }
}

TEST(Cookie, SharesNothingButTheKeyId_R_CK_02) {
  FakeRandom random;
  const auto set = SetWith(AeadId::kAesSivCmac256);
  const AssociationKeys keys = VectorKeys(AeadId::kAesSivCmac256);
  const Octets first = Seal(*set, keys, random);
  // No position behind the id keeps its octet over many cookies of one client.
  std::vector<bool> ever_differed(first.size(), false);
  for (int i = 0; i < 64; ++i) {
    const Octets other = Seal(*set, keys, random);
    for (std::size_t at = 0; at < first.size(); ++at) ever_differed[at] = ever_differed[at] || first[at] != other[at];
  }
  for (std::size_t at = 0; at < first.size(); ++at) EXPECT_EQ(ever_differed[at], at >= kCookieKeyIdSize) << at;
}

// A mode that is not misuse-resistant would show the difference of two plaintexts when a nonce repeats.
TEST(Cookie, TellsNothingWhenANonceRepeats_R_CK_03) {
  for (const AeadId master : kMasterAeads) {
    VectorNonce nonce;
    const auto set = SetWith(master);
    AssociationKeys keys = VectorKeys(AeadId::kAesSivCmac256);
    const Octets first = Seal(*set, keys, nonce);
    keys.s2c[31] ^= 1;  // the last octet of the plaintext
    const Octets second = Seal(*set, keys, nonce);
    const std::size_t begin = kCookieKeyIdSize + AeadNonceSize(master);
    ASSERT_TRUE(std::equal(first.begin(), first.begin() + static_cast<std::ptrdiff_t>(begin), second.begin()));
    std::size_t equal = 0;
    for (std::size_t at = begin; at < first.size(); ++at) equal += first[at] == second[at] ? 1 : 0;
    EXPECT_LT(equal, 6U) << "80 octets of chance";
  }
}

TEST(Cookie, IsSealedByTheCurrentKeyAndOpenedByAll_R_CK_06_07) {
  FakeRandom random;
  const MasterKey future = MakeMasterKey(4, AeadId::kAesSivCmac256, 0x10);
  const MasterKey current = MakeMasterKey(3, AeadId::kAesSivCmac256, 0x20);
  const MasterKey past = MakeMasterKey(2, AeadId::kAesSivCmac256, 0x30);
  const auto sealed_by = [&](const MasterKey& key) {
    const MasterKey keys[] = {key};
    return Seal(*KeySet::Make(keys, 0, 1, false), VectorKeys(AeadId::kAesSivCmac256), random);
  };
  const MasterKey keys[] = {future, current, past};
  const auto set = KeySet::Make(keys, 1, 1, false);
  AssociationKeys opened;
  EXPECT_TRUE(Opens(*set, sealed_by(future), opened)) << "another node may be ahead of us (R-CK-15)";
  EXPECT_TRUE(Opens(*set, sealed_by(current), opened));
  EXPECT_TRUE(Opens(*set, sealed_by(past), opened));
  EXPECT_FALSE(Opens(*set, sealed_by(MakeMasterKey(1)), opened)) << "gone";
  EXPECT_FALSE(Opens(*set, sealed_by(MakeMasterKey(3, AeadId::kAesSivCmac256, 0x77)), opened)) << "same id, other key";
  const Octets fresh = Seal(*set, VectorKeys(AeadId::kAesSivCmac256), random);
  EXPECT_EQ(CookieKeyId(fresh), current.id);
}

TEST(Cookie, SealsAndOpensMoreThanOnePiece) {
  FakeRandom random;
  const auto set = SetWith(AeadId::kAesSivCmac256);
  constexpr std::size_t kCount = 200;
  std::vector<AssociationKeys> keys;
  for (std::size_t i = 0; i < kCount; ++i) keys.push_back(VectorKeys(kClientAeads[i % 3]));
  std::vector<Octets> cookies;
  for (const AssociationKeys& association : keys) {
    cookies.emplace_back(CookieSize(AeadId::kAesSivCmac256, association.aead));
  }
  std::vector<CookieSealJob> seals;
  for (std::size_t i = 0; i < kCount; ++i) seals.push_back({.keys = &keys[i], .cookie = cookies[i].data()});
  SealCookies(*SelectAead(), *set, random, seals);
  cookies[77][30] ^= 1;
  std::vector<AssociationKeys> opened(kCount);
  std::vector<CookieOpenJob> opens;
  for (std::size_t i = 0; i < kCount; ++i) opens.push_back({.cookie = cookies[i], .keys = &opened[i]});
  OpenCookies(*SelectAead(), *set, opens);
  for (std::size_t i = 0; i < kCount; ++i) EXPECT_EQ(opens[i].ok, i != 77) << i;
  EXPECT_EQ(std::set<Octets>(cookies.begin(), cookies.end()).size(), kCount) << "all different (R-KE-43)";
}

}  // namespace
}  // namespace ntsd
