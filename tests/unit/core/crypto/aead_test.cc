#include "core/crypto/aead.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/crypto/prepared_key.h"
#include "tests/support/fakes.h"
#include "tests/support/hex.h"
#include "tests/unit/core/crypto/nts_vectors.h"
#include "tests/unit/core/crypto/rfc8452_vectors.h"

namespace ntsd {
namespace {

using testing::AeadVector;
using testing::FakeRandom;
using testing::FromHex;
using testing::ToHex;
using Octets = std::vector<std::uint8_t>;

constexpr AeadId kAllAeads[] = {AeadId::kAesSivCmac256, AeadId::kAesSivCmac512, AeadId::kAes128GcmSiv};

// One message with its own memory, to be sealed and opened in every way.
struct Message {
  AeadId aead;
  Octets key, associated_data, nonce, plaintext;

  static Message Make(FakeRandom& random, AeadId aead, std::size_t associated_size, std::size_t nonce_size,
                      std::size_t plaintext_size) {
    Message message{aead, Octets(AeadKeySize(aead)), Octets(associated_size), Octets(nonce_size),
                    Octets(plaintext_size)};
    for (Octets* field : {&message.key, &message.associated_data, &message.nonce, &message.plaintext}) {
      random.Fill(*field);
    }
    return message;
  }
  static Message Make(const AeadVector& vector) {
    return {vector.aead, FromHex(vector.key), FromHex(vector.associated_data), FromHex(vector.nonce),
            FromHex(vector.plaintext)};
  }
};

enum class KeyForm { kRaw, kPrepared };

Octets Seal(const Aead& aead, const Message& message, KeyForm form = KeyForm::kRaw) {
  const PreparedKey prepared(message.aead, message.key);
  Octets sealed(message.plaintext.size() + kAeadTagSize);
  SealJob job{.aead = message.aead,
              .key = form == KeyForm::kRaw ? AeadKey{.raw = message.key.data()} : AeadKey{.prepared = &prepared},
              .associated_data = message.associated_data,
              .nonce = message.nonce,
              .plaintext = message.plaintext,
              .sealed = sealed.data()};
  aead.Seal({&job, 1});
  return sealed;
}

// What opening `sealed` gives with everything else taken from `message`; nothing if it fails.
std::optional<Octets> Open(const Aead& aead, const Message& message, const Octets& sealed,
                           KeyForm form = KeyForm::kRaw) {
  const PreparedKey prepared(message.aead, message.key);
  Octets plaintext(sealed.size() < kAeadTagSize ? 0 : sealed.size() - kAeadTagSize, 0xEE);
  OpenJob job{.aead = message.aead,
              .key = form == KeyForm::kRaw ? AeadKey{.raw = message.key.data()} : AeadKey{.prepared = &prepared},
              .associated_data = message.associated_data,
              .nonce = message.nonce,
              .sealed = sealed,
              .plaintext = plaintext.data(),
              .ok = true};
  aead.Open({&job, 1});
  if (job.ok) return plaintext;
  EXPECT_EQ(plaintext, Octets(plaintext.size())) << "nothing of a message that fails may be left behind (R-AEAD-06)";
  return std::nullopt;
}

class AeadTest : public ::testing::TestWithParam<const Aead*> {
 protected:
  const Aead& aead() const { return *GetParam(); }
};

INSTANTIATE_TEST_SUITE_P(Backends, AeadTest, ::testing::ValuesIn(AvailableAeads()),
                         [](const auto& backend) { return std::string(backend.param->Name()); });

void ExpectVector(const Aead& aead, const AeadVector& vector) {
  const Message message = Message::Make(vector);
  for (const KeyForm form : {KeyForm::kRaw, KeyForm::kPrepared}) {
    EXPECT_EQ(ToHex(Seal(aead, message, form)), vector.sealed) << vector.name;
    const std::optional<Octets> plaintext = Open(aead, message, FromHex(vector.sealed), form);
    ASSERT_TRUE(plaintext) << vector.name;
    EXPECT_EQ(ToHex(*plaintext), vector.plaintext) << vector.name;
  }
}

// R-AEAD-02, R-AEAD-09: cookies, requests with an empty plaintext, replies; of all three AEADs.
TEST_P(AeadTest, MatchesTheNtsVectors) {
  for (const AeadVector& vector : testing::kNtsVectors) ExpectVector(aead(), vector);
}

// R-AEAD-08
TEST_P(AeadTest, MatchesRfc8452) {
  for (const AeadVector& vector : testing::kRfc8452Vectors) ExpectVector(aead(), vector);
}

TEST_P(AeadTest, OpensWhatItSealsAtEveryLength) {
  FakeRandom random(2);
  for (const AeadId id : kAllAeads) {
    const std::size_t nonce_size = AeadNonceSize(id);
    for (std::size_t size = 0; size <= 70; ++size) {
      for (const auto& [associated_size, plaintext_size] :
           {std::pair{size, std::size_t{0}}, {std::size_t{0}, size}, {size, 70 - size}, {size, size}}) {
        const Message message = Message::Make(random, id, associated_size, nonce_size, plaintext_size);
        const Octets sealed = Seal(aead(), message);
        EXPECT_EQ(sealed, Seal(aead(), message, KeyForm::kPrepared));
        EXPECT_EQ(sealed, Seal(*SelectAead("portable"), message));
        EXPECT_EQ(Open(aead(), message, sealed), message.plaintext)
            << AeadName(id) << " " << associated_size << " " << plaintext_size;
      }
    }
  }
}

// R-AEAD-03, R-NTS-16: any nonce from one octet on for SIV.
TEST_P(AeadTest, TakesEveryNonceSizeThatSivAllows) {
  FakeRandom random(3);
  for (const AeadId id : {AeadId::kAesSivCmac256, AeadId::kAesSivCmac512}) {
    for (std::size_t nonce_size = 1; nonce_size <= 50; ++nonce_size) {
      const Message message = Message::Make(random, id, 84, nonce_size, nonce_size % 3 * 20);
      const Octets sealed = Seal(aead(), message);
      EXPECT_EQ(sealed, Seal(*SelectAead("portable"), message)) << nonce_size;
      EXPECT_EQ(Open(aead(), message, sealed), message.plaintext) << nonce_size;
    }
  }
}

// R-AEAD-03: what a client sends must not stop us.
TEST_P(AeadTest, FailsJobsWithIllegalNonces) {
  FakeRandom random(4);
  for (const AeadId id : kAllAeads) {
    for (std::size_t nonce_size = 0; nonce_size <= 32; ++nonce_size) {
      if (AeadNonceSizeIsLegal(id, nonce_size)) continue;
      const Message message = Message::Make(random, id, 48, nonce_size, 0);
      EXPECT_FALSE(Open(aead(), message, Octets(16))) << AeadName(id) << " " << nonce_size;
      EXPECT_FALSE(Open(aead(), message, Octets(56))) << AeadName(id) << " " << nonce_size;
    }
  }
}

// R-AEAD-11
TEST_P(AeadTest, FailsWhatIsShorterThanATag) {
  FakeRandom random(5);
  for (const AeadId id : kAllAeads) {
    const Message message = Message::Make(random, id, 48, AeadNonceSize(id), 0);
    const Octets sealed = Seal(aead(), message);
    EXPECT_TRUE(Open(aead(), message, sealed));
    for (std::size_t size = 0; size < kAeadTagSize; ++size) {
      EXPECT_FALSE(Open(aead(), message, Octets(sealed.begin(), sealed.begin() + static_cast<long>(size))));
    }
  }
}

TEST_P(AeadTest, WorksInPlace) {
  FakeRandom random(6);
  for (const AeadId id : kAllAeads) {
    for (const std::size_t size : {0U, 1U, 15U, 16U, 17U, 64U, 104U, 105U, 300U}) {
      const Message message = Message::Make(random, id, 84, AeadNonceSize(id), size);
      const Octets expected = Seal(aead(), message);
      Octets memory(size + kAeadTagSize);
      std::uint8_t* const plaintext = memory.data() + AeadPlaintextOffset(id);
      std::copy(message.plaintext.begin(), message.plaintext.end(), plaintext);
      SealJob seal{.aead = id,
                   .key = {.raw = message.key.data()},
                   .associated_data = message.associated_data,
                   .nonce = message.nonce,
                   .plaintext = {plaintext, size},
                   .sealed = memory.data()};
      aead().Seal({&seal, 1});
      EXPECT_EQ(memory, expected) << AeadName(id) << " " << size;
      OpenJob open{.aead = id,
                   .key = {.raw = message.key.data()},
                   .associated_data = message.associated_data,
                   .nonce = message.nonce,
                   .sealed = memory,
                   .plaintext = plaintext};
      aead().Open({&open, 1});
      EXPECT_TRUE(open.ok) << AeadName(id) << " " << size;
      EXPECT_EQ(Octets(plaintext, plaintext + size), message.plaintext);
    }
  }
}

// Every bit of the key, tag, ciphertext, nonce and associated data counts.
TEST_P(AeadTest, FailsWhenAnyBitIsFlipped) {
  FakeRandom random(7);
  for (const AeadId id : kAllAeads) {
    for (const std::size_t plaintext_size : {0U, 20U}) {
      Message message = Message::Make(random, id, 37, AeadNonceSize(id), plaintext_size);
      Octets sealed = Seal(aead(), message);
      ASSERT_TRUE(Open(aead(), message, sealed));
      for (Octets* field : {&sealed, &message.nonce, &message.associated_data, &message.key}) {
        for (std::size_t bit = 0; bit < field->size() * 8; ++bit) {
          // K2 of SIV plays no part when there is nothing to encrypt.
          const bool is_idle =
              field == &message.key && plaintext_size == 0 && id != AeadId::kAes128GcmSiv && bit >= field->size() * 4;
          (*field)[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
          EXPECT_EQ(Open(aead(), message, sealed).has_value(), is_idle) << AeadName(id) << " bit " << bit;
          (*field)[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
        }
      }
      // Longer or shorter associated data is other data, even by zeros.
      message.associated_data.push_back(0);
      EXPECT_FALSE(Open(aead(), message, sealed));
      message.associated_data.resize(36);
      EXPECT_FALSE(Open(aead(), message, sealed));
    }
  }
}

TEST_P(AeadTest, FailsAZeroTagWithEmptyCiphertext) {
  FakeRandom random(8);
  for (const AeadId id : kAllAeads) {
    EXPECT_FALSE(Open(aead(), Message::Make(random, id, 48, AeadNonceSize(id), 0), Octets(16)));
    EXPECT_FALSE(Open(aead(), {id, Octets(AeadKeySize(id)), {}, Octets(AeadNonceSize(id)), {}}, Octets(16)));
  }
}

TEST_P(AeadTest, TakesEmptyBatches) {
  aead().Seal({});
  aead().Open({});
}

TEST(AvailableAeads, EndsWithThePortableOne) {
  const std::vector<const Aead*> available = AvailableAeads();
  ASSERT_FALSE(available.empty());
  EXPECT_EQ(available.back()->Name(), "portable");
}

TEST(SelectAead, FindsByNameAndRefusesUnknownOnes) {
  for (const Aead* aead : AvailableAeads()) EXPECT_EQ(SelectAead(aead->Name()), aead);
  EXPECT_EQ(SelectAead("rot13"), nullptr);
}

TEST(SelectAead, LetsAnExplicitNameWinOverTheEnvironment) {
  ASSERT_EQ(setenv("NTSD_AEAD", "portable", 1), 0);
  EXPECT_EQ(SelectAead()->Name(), "portable");
  EXPECT_EQ(SelectAead(AvailableAeads().front()->Name()), AvailableAeads().front());
  ASSERT_EQ(setenv("NTSD_AEAD", "rot13", 1), 0);
  EXPECT_EQ(SelectAead(), nullptr) << "a wrong name is an error, not a silent fallback";
  ASSERT_EQ(unsetenv("NTSD_AEAD"), 0);
  EXPECT_EQ(SelectAead(), AvailableAeads().front());
}

}  // namespace
}  // namespace ntsd
