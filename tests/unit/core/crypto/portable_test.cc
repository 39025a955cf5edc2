// The parts that the portable backend is made of.
#include <gtest/gtest.h>

#include "core/crypto/bitsliced_aes.h"
#include "core/crypto/cmac.h"
#include "core/crypto/polyval.h"
#include "core/crypto/prepared_key.h"
#include "tests/support/hex.h"

namespace ntsd {
namespace {

using testing::FromHex;
using testing::ToHex;

AesBlock Block(std::string_view hex) {
  AesBlock block{};
  const std::vector<std::uint8_t> octets = FromHex(hex);
  std::copy(octets.begin(), octets.end(), block.begin());
  return block;
}

// FIPS 197, appendix C.
TEST(BitslicedAes, MatchesFips197) {
  const AesBlock plaintext = Block("00112233445566778899aabbccddeeff");
  EXPECT_EQ(ToHex(BitslicedAes(ExpandAesKey(FromHex("000102030405060708090a0b0c0d0e0f"))).Encrypt(plaintext)),
            "69c4e0d86a7b0430d8cdb78070b4c55a");
  EXPECT_EQ(ToHex(BitslicedAes(ExpandAesKey(FromHex("000102030405060708090a0b0c0d0e0f"
                                                    "101112131415161718191a1b1c1d1e1f")))
                      .Encrypt(plaintext)),
            "8ea2b7ca516745bfeafc49904b496089");
}

// FIPS 197, appendix A: the last round keys.
TEST(ExpandAesKey, MatchesFips197) {
  EXPECT_EQ(ToHex(ExpandAesKey(FromHex("2b7e151628aed2a6abf7158809cf4f3c")).round_keys[10]),
            "d014f9a8c9ee2589e13f0cc8b6630ca6");
  EXPECT_EQ(
      ToHex(ExpandAesKey(FromHex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")).round_keys[14]),
      "fe4890d1e6188d0b046df344706c631e");
}

TEST(BitslicedAes, KeepsItsFourBlocksApart) {
  const BitslicedAes cipher(ExpandAesKey(FromHex("000102030405060708090a0b0c0d0e0f")));
  for (std::size_t position = 0; position < BitslicedAes::kBlockCount; ++position) {
    BitslicedAes::Blocks blocks{};
    blocks[position] = Block("00112233445566778899aabbccddeeff");
    cipher.Encrypt(blocks);
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      EXPECT_EQ(ToHex(blocks[i]),
                i == position ? "69c4e0d86a7b0430d8cdb78070b4c55a" : "c6a13b37878f5b826f4f8162a1c8d879");
    }
  }
}

// RFC 4493 §4.
TEST(Cmac, MatchesRfc4493) {
  const BitslicedAes cipher(ExpandAesKey(FromHex("2b7e151628aed2a6abf7158809cf4f3c")));
  const AesBlock full = Double(cipher.Encrypt(AesBlock{}));
  const AesBlock partial = Double(full);
  EXPECT_EQ(ToHex(full), "fbeed618357133667c85e08f7236a8de");
  EXPECT_EQ(ToHex(partial), "f7ddac306ae266ccf90bc11ee46d513b");
  const auto message = FromHex(
      "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
      "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710");
  const auto cmac = [&](std::size_t size) { return ToHex(Cmac(cipher, full, partial, ByteView(message).first(size))); };
  EXPECT_EQ(cmac(0), "bb1d6929e95937287fa37d129b756746");
  EXPECT_EQ(cmac(16), "070a16b46b4d4144f79bdd9dd04a287c");
  EXPECT_EQ(cmac(40), "dfa66747de9ae63030ca32611497c827");
  EXPECT_EQ(cmac(64), "51f0bebf7e3b9d92fc49741779363cfe");
}

// R-AEAD-01: the examples of RFC 5297 have other numbers of strings than NTS, so they are put together here.
TEST(S2v, MatchesRfc5297) {
  {  // A.1: one string of associated data, no nonce.
    const ExpandedKey key(AeadId::kAesSivCmac256,
                          FromHex("fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff").data());
    const BitslicedAes cipher(key.mac);
    const auto cmac = [&](ByteView m) { return Cmac(cipher, key.subkey_full, key.subkey_partial, m); };
    EXPECT_EQ(ToHex(key.after_zero), "0e04dfafc1efbf040140582859bf073a");
    const AesBlock d = Xor(Double(key.after_zero), cmac(FromHex("101112131415161718191a1b1c1d1e1f2021222324252627")));
    EXPECT_EQ(ToHex(cmac(Xor(Double(d), Block("112233445566778899aabbccddee80")))), "85632d07c6e8f37f950acd320a2ecc93");
  }
  {  // A.2: two strings of associated data and a nonce.
    const ExpandedKey key(AeadId::kAesSivCmac256,
                          FromHex("7f7e7d7c7b7a79787776757473727170404142434445464748494a4b4c4d4e4f").data());
    const BitslicedAes cipher(key.mac);
    const auto cmac = [&](ByteView m) { return Cmac(cipher, key.subkey_full, key.subkey_partial, m); };
    AesBlock d = key.after_zero;
    for (const std::string_view string :
         {"00112233445566778899aabbccddeeffdeaddadadeaddadaffeeddccbbaa99887766554433221100", "102030405060708090a0",
          "09f911029d74e35bd84156c5635688c0"}) {
      d = Xor(Double(d), cmac(FromHex(string)));
    }
    const std::string_view plaintext = "this is some plaintext to encrypt using SIV-AES";
    const ByteView octets(reinterpret_cast<const std::uint8_t*>(plaintext.data()), plaintext.size());
    EXPECT_EQ(ToHex(Cmac(cipher, key.subkey_full, key.subkey_partial, octets, &d)), "7bdb6e3b432667eb06f4d14bff2fbd0f");
  }
}

// RFC 8452, appendix A.
TEST(Polyval, MatchesRfc8452) {
  Polyval polyval(Block("25629347589242761d31f826ba4b757b"));
  polyval.Update(Block("4f4f95668c83dfb6401762bb2d01a262"));
  polyval.Update(Block("d1a24ddd2721d006bbe45f20d3c9f362"));
  EXPECT_EQ(ToHex(polyval.Sum()), "f7a3b47b846119fae5b7866cf5e5b77e");
}

}  // namespace
}  // namespace ntsd
