// Runs a backend on secrets that memcheck takes for undefined: any branch or address that depends on one is an error.
// constant_time.sh runs this under valgrind. Usage: constant_time_check BACKEND
#include <valgrind/memcheck.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "core/base/check.h"
#include "core/crypto/aead.h"
#include "core/crypto/prepared_key.h"
#include "tests/support/fakes.h"

namespace ntsd {
namespace {

using Octets = std::vector<std::uint8_t>;

void MakeSecret(Octets& octets) { VALGRIND_MAKE_MEM_UNDEFINED(octets.data(), octets.size()); }
void Publish(const void* octets, std::size_t size) { VALGRIND_MAKE_MEM_DEFINED(octets, size); }

struct Message {
  AeadId aead{};
  bool is_prepared = false;
  Octets key, associated_data, nonce, text, sealed;
  std::unique_ptr<PreparedKey> prepared;

  AeadKey Key() const { return is_prepared ? AeadKey{.prepared = prepared.get()} : AeadKey{.raw = key.data()}; }
};

// Messages of all AEADs, forms of keys and sizes. Keys and plaintexts are secret; sizes, nonces, associated data and
// what is sent are not.
std::vector<Message> MakeMessages(testing::FakeRandom& random) {
  std::vector<Message> messages;
  for (const AeadId aead : {AeadId::kAesSivCmac256, AeadId::kAesSivCmac512, AeadId::kAes128GcmSiv}) {
    for (const bool is_prepared : {false, true}) {
      for (const std::size_t text_size : {0U, 7U, 16U, 32U, 64U, 104U, 128U}) {
        for (const std::size_t data_size : {0U, 84U, 188U}) {
          Message message{.aead = aead,
                          .is_prepared = is_prepared,
                          .key = Octets(AeadKeySize(aead)),
                          .associated_data = Octets(data_size),
                          .nonce = Octets(AeadNonceSize(aead)),
                          .text = Octets(text_size),
                          .sealed = Octets(text_size + kAeadTagSize),
                          .prepared = nullptr};
          for (Octets* field : {&message.key, &message.associated_data, &message.nonce, &message.text}) {
            random.Fill(*field);
          }
          MakeSecret(message.key);
          MakeSecret(message.text);
          if (is_prepared) {
            message.prepared = std::make_unique<PreparedKey>(aead, message.key);
            // Its AEAD and numbers of rounds are no secrets, and stand between keys that are.
            Publish(message.prepared.get(), sizeof(AeadId));
          }
          messages.push_back(std::move(message));
        }
      }
    }
  }
  return messages;
}

void SealAndOpen(const Aead& aead, std::vector<Message>& messages) {
  std::vector<SealJob> seals;
  for (Message& m : messages) {
    seals.push_back({.aead = m.aead,
                     .key = m.Key(),
                     .associated_data = m.associated_data,
                     .nonce = m.nonce,
                     .plaintext = m.text,
                     .sealed = m.sealed.data()});
  }
  aead.Seal(seals);
  std::vector<OpenJob> opens;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    Message& m = messages[i];
    Publish(m.sealed.data(), m.sealed.size());
    if (i % 3 == 0) m.sealed[0] ^= 1;
    opens.push_back({.aead = m.aead,
                     .key = m.Key(),
                     .associated_data = m.associated_data,
                     .nonce = m.nonce,
                     .sealed = m.sealed,
                     .plaintext = m.text.data()});
  }
  aead.Open(opens);
  for (std::size_t i = 0; i < messages.size(); ++i) {
    Publish(&opens[i].ok, sizeof(opens[i].ok));
    CHECK(opens[i].ok == (i % 3 != 0));
  }
}

}  // namespace
}  // namespace ntsd

int main(int argc, char** argv) {
  const ntsd::Aead* const aead = argc == 2 ? ntsd::SelectAead(argv[1]) : nullptr;
  if (aead == nullptr) {
    std::fprintf(stderr, "usage: constant_time_check BACKEND that this CPU has\n");
    return 77;
  }
  ntsd::testing::FakeRandom random(31);
  std::vector<ntsd::Message> messages = ntsd::MakeMessages(random);
  ntsd::SealAndOpen(*aead, messages);
  // The check itself must be able to fail: a branch on a secret, when asked for.
  if (std::getenv("NTSD_LEAK") != nullptr && messages[0].key[0] == 7) std::puts("leaked");
  return 0;
}
