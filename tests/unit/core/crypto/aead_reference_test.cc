// The portable backend, by which all others are measured, against libraries of others.
#include <gtest/gtest.h>
#include <nettle/siv-cmac.h>
#include <openssl/evp.h>

#include <cstdlib>
#include <memory>
#include <vector>

#include "core/crypto/aead.h"
#include "tests/support/fakes.h"
#include "tests/support/hex.h"

namespace ntsd {
namespace {

using testing::FakeRandom;
using testing::ToHex;
using Octets = std::vector<std::uint8_t>;

std::uint64_t CaseCount() {
  const char* const wanted = std::getenv("NTSD_AEAD_CASES");
  return wanted == nullptr ? 1500 : std::strtoull(wanted, nullptr, 10);
}

struct Message {
  Octets key, associated_data, nonce, plaintext;

  Message(FakeRandom& random, AeadId aead)
      : key(AeadKeySize(aead)),
        associated_data(random.Below(200)),
        nonce(random.Below(2) == 0 ? AeadNonceSize(aead) : 1 + random.Below(40)),
        plaintext(random.Below(3) == 0 ? 0 : random.Below(200)) {
    if (aead == AeadId::kAes128GcmSiv) nonce.resize(12);
    for (Octets* field : {&key, &associated_data, &nonce, &plaintext}) random.Fill(*field);
  }
};

Octets Seal(AeadId aead, const Message& message) {
  Octets sealed(message.plaintext.size() + kAeadTagSize);
  SealJob job{.aead = aead,
              .key = {.raw = message.key.data()},
              .associated_data = message.associated_data,
              .nonce = message.nonce,
              .plaintext = message.plaintext,
              .sealed = sealed.data()};
  SelectAead("portable")->Seal({&job, 1});
  return sealed;
}

TEST(PortableAead, AgreesWithNettle) {
  FakeRandom random(21);
  for (std::uint64_t i = 0; i < CaseCount(); ++i) {
    const Message small(random, AeadId::kAesSivCmac256);
    Octets expected(small.plaintext.size() + 16);
    siv_cmac_aes128_ctx small_context;
    siv_cmac_aes128_set_key(&small_context, small.key.data());
    siv_cmac_aes128_encrypt_message(&small_context, small.nonce.size(), small.nonce.data(),
                                    small.associated_data.size(), small.associated_data.data(), expected.size(),
                                    expected.data(), small.plaintext.data());
    ASSERT_EQ(ToHex(Seal(AeadId::kAesSivCmac256, small)), ToHex(expected)) << i;

    const Message large(random, AeadId::kAesSivCmac512);
    expected.resize(large.plaintext.size() + 16);
    siv_cmac_aes256_ctx large_context;
    siv_cmac_aes256_set_key(&large_context, large.key.data());
    siv_cmac_aes256_encrypt_message(&large_context, large.nonce.size(), large.nonce.data(),
                                    large.associated_data.size(), large.associated_data.data(), expected.size(),
                                    expected.data(), large.plaintext.data());
    ASSERT_EQ(ToHex(Seal(AeadId::kAesSivCmac512, large)), ToHex(expected)) << i;
  }
}

using Cipher = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

// OpenSSL 3.0 takes only texts and associated data that are not empty.
TEST(PortableAead, AgreesWithOpenSsl) {
  struct Variant {
    AeadId aead;
    const char* name;
  };
  FakeRandom random(22);
  for (const Variant variant :
       {Variant{AeadId::kAesSivCmac256, "AES-128-SIV"}, Variant{AeadId::kAesSivCmac512, "AES-256-SIV"}}) {
    EVP_CIPHER* const siv = EVP_CIPHER_fetch(nullptr, variant.name, nullptr);
    ASSERT_NE(siv, nullptr);
    for (std::uint64_t i = 0; i < CaseCount() / 3; ++i) {
      Message message(random, variant.aead);
      if (message.plaintext.empty()) message.plaintext.push_back(0x55);
      if (message.associated_data.empty()) message.associated_data.push_back(0x66);
      const Cipher context(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
      ASSERT_EQ(EVP_EncryptInit_ex2(context.get(), siv, message.key.data(), nullptr, nullptr), 1);
      int size = 0;
      for (const Octets* data : {&message.associated_data, &message.nonce}) {
        ASSERT_EQ(EVP_EncryptUpdate(context.get(), nullptr, &size, data->data(), static_cast<int>(data->size())), 1);
      }
      Octets expected(16 + message.plaintext.size());
      ASSERT_EQ(EVP_EncryptUpdate(context.get(), expected.data() + 16, &size, message.plaintext.data(),
                                  static_cast<int>(message.plaintext.size())),
                1);
      ASSERT_EQ(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, 16, expected.data()), 1);
      ASSERT_EQ(ToHex(Seal(variant.aead, message)), ToHex(expected)) << variant.name << " " << i;
    }
    EVP_CIPHER_free(siv);
  }
}

// AES-128-GCM-SIV put together from OpenSSL's AES block, a bit at a time: OpenSSL 3.0 and nettle 3.8 have none.
class GcmSivReference {
 public:
  explicit GcmSivReference(const Message& message) : message_(message) {
    for (std::size_t i = 0; i < 4; ++i) {
      Octets block(16);
      block[0] = static_cast<std::uint8_t>(i);
      std::copy(message.nonce.begin(), message.nonce.end(), block.begin() + 4);
      const Octets half = Aes(message.key, block);
      Octets& key = i < 2 ? authenticating_ : encrypting_;
      key.insert(key.end(), half.begin(), half.begin() + 8);
    }
  }
  Octets Seal() const {
    Octets sum(16);
    Hash(message_.associated_data, sum);
    Hash(message_.plaintext, sum);
    Octets lengths(16);
    for (std::size_t i = 0; i < 8; ++i) {
      lengths[i] = static_cast<std::uint8_t>(message_.associated_data.size() * 8 >> 8 * i);
      lengths[8 + i] = static_cast<std::uint8_t>(message_.plaintext.size() * 8 >> 8 * i);
    }
    Hash(lengths, sum);
    for (std::size_t i = 0; i < 12; ++i) sum[i] ^= message_.nonce[i];
    sum[15] &= 0x7F;
    const Octets tag = Aes(encrypting_, sum);
    Octets sealed = message_.plaintext;
    for (std::size_t i = 0; i < sealed.size(); ++i) {
      Octets counter = tag;
      counter[15] |= 0x80;
      std::uint32_t number = 0;
      for (std::size_t n = 0; n < 4; ++n) number |= std::uint32_t{counter[n]} << 8 * n;
      number += static_cast<std::uint32_t>(i / 16);
      for (std::size_t n = 0; n < 4; ++n) counter[n] = static_cast<std::uint8_t>(number >> 8 * n);
      sealed[i] ^= Aes(encrypting_, counter)[i % 16];
    }
    sealed.insert(sealed.end(), tag.begin(), tag.end());
    return sealed;
  }

 private:
  static Octets Aes(const Octets& key, const Octets& block) {
    const Cipher context(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
    EVP_EncryptInit_ex(context.get(), EVP_aes_128_ecb(), nullptr, key.data(), nullptr);
    EVP_CIPHER_CTX_set_padding(context.get(), 0);
    Octets out(16);
    int size = 0;
    EVP_EncryptUpdate(context.get(), out.data(), &size, block.data(), 16);
    EXPECT_EQ(size, 16);
    return out;
  }
  static bool Bit(const Octets& element, std::size_t i) { return element[i / 8] >> i % 8 & 1; }
  // Divides by x: the polynomial x^128 + x^127 + x^126 + x^121 + 1 has a constant term, so it is added to odd elements.
  static void DivideByX(Octets& element) {
    const bool is_odd = Bit(element, 0);
    for (std::size_t i = 0; i < 16; ++i) {
      element[i] = static_cast<std::uint8_t>(element[i] >> 1 | (i < 15 ? element[i + 1] << 7 : 0));
    }
    if (is_odd) element[15] ^= 0xE1;  // x^127 (from x^128), x^126, x^125 and x^120
  }
  // sum = (sum + block) * key * x^-128 for each block: from the lowest bit of the key on, every bit of it is divided by
  // x once more than the next.
  void Hash(const Octets& data, Octets& sum) const {
    for (std::size_t offset = 0; offset < data.size(); offset += 16) {
      for (std::size_t i = 0; i < 16 && offset + i < data.size(); ++i) sum[i] ^= data[offset + i];
      Octets product(16);
      for (std::size_t bit = 0; bit < 128; ++bit) {
        for (std::size_t i = 0; i < 16 && Bit(authenticating_, bit); ++i) product[i] ^= sum[i];
        DivideByX(product);
      }
      sum = product;
    }
  }

  const Message& message_;
  Octets authenticating_, encrypting_;
};

TEST(PortableAead, AgreesWithAGcmSivOfSmallParts) {
  FakeRandom random(23);
  for (std::uint64_t i = 0; i < CaseCount() / 10; ++i) {
    const Message message(random, AeadId::kAes128GcmSiv);
    ASSERT_EQ(ToHex(Seal(AeadId::kAes128GcmSiv, message)), ToHex(GcmSivReference(message).Seal())) << i;
  }
}

}  // namespace
}  // namespace ntsd
