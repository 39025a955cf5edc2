// Batches of jobs as the input says: every backend gives what the portable one gives, and what was sealed opens.
#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "core/base/check.h"
#include "core/crypto/aead.h"
#include "core/crypto/prepared_key.h"

namespace ntsd {
namespace {

using Octets = std::vector<std::uint8_t>;

constexpr std::size_t kJobCountMax = 40;
constexpr AeadId kAeads[] = {AeadId::kAesSivCmac256, AeadId::kAesSivCmac512, AeadId::kAes128GcmSiv};

// The input: eight octets for each job, then octets to fill the strings from, again and again.
struct Message {
  AeadId aead{};
  bool is_prepared = false, in_place = false;
  std::uint8_t flip = 0;  // 0: opened as it is; else one bit is flipped in between
  Octets key, associated_data, nonce, plaintext;
};

class Source {
 public:
  explicit Source(ByteView input) : input_(input) {}
  std::uint8_t Next() { return input_.empty() ? 0 : input_[position_++ % input_.size()]; }
  Octets Take(std::size_t size) {
    Octets octets(size);
    for (std::uint8_t& octet : octets) octet = static_cast<std::uint8_t>(Next() ^ counter_++);
    return octets;
  }

 private:
  ByteView input_;
  std::size_t position_ = 0;
  std::uint8_t counter_ = 0;
};

Message MakeMessage(Source& source) {
  Message message;
  const std::uint8_t form = source.Next();
  message.aead = kAeads[form % 3];
  message.is_prepared = (form & 0x40) != 0;
  message.in_place = (form & 0x80) != 0;
  message.flip = source.Next() < 128 ? 0 : source.Next();
  // Prepared keys are few, so that jobs share them.
  message.key =
      message.is_prepared ? Octets(AeadKeySize(message.aead), form & 0x30) : source.Take(AeadKeySize(message.aead));
  message.associated_data = source.Take(std::size_t{source.Next()} * (source.Next() % 3));
  message.nonce = source.Take(message.aead == AeadId::kAes128GcmSiv ? 12 : form & 0x08 ? 16 : 1 + source.Next() % 60);
  message.plaintext = source.Take(form & 0x04 ? 0 : source.Next());
  return message;
}

struct Outcome {
  std::vector<Octets> sealed, opened;
  std::vector<bool> ok;
  bool operator==(const Outcome&) const = default;
};

AeadKey KeyOf(const Message& message, const PreparedKey& prepared) {
  return message.is_prepared ? AeadKey{.prepared = &prepared} : AeadKey{.raw = message.key.data()};
}

Outcome Run(const Aead& aead, const std::vector<Message>& messages, const std::vector<const PreparedKey*>& prepared) {
  Outcome outcome;
  std::vector<Octets> texts;
  for (const Message& message : messages) {
    outcome.sealed.emplace_back(message.plaintext.size() + kAeadTagSize);
    texts.push_back(message.plaintext);
  }
  const auto text_of = [&](std::size_t i) {
    const Message& message = messages[i];
    return message.in_place ? outcome.sealed[i].data() + AeadPlaintextOffset(message.aead) : texts[i].data();
  };
  std::vector<SealJob> seals;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const Message& message = messages[i];
    if (message.in_place) std::copy(texts[i].begin(), texts[i].end(), text_of(i));
    seals.push_back({.aead = message.aead,
                     .key = KeyOf(message, *prepared[i]),
                     .associated_data = message.associated_data,
                     .nonce = message.nonce,
                     .plaintext = {text_of(i), texts[i].size()},
                     .sealed = outcome.sealed[i].data()});
  }
  aead.Seal(seals);
  std::vector<Octets> received = outcome.sealed;
  std::vector<OpenJob> opens;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const Message& message = messages[i];
    Octets& octets = received[i];
    if (message.flip != 0) octets[message.flip % octets.size()] ^= message.flip;
    std::uint8_t* const plaintext =
        message.in_place ? octets.data() + AeadPlaintextOffset(message.aead) : texts[i].data();
    opens.push_back({.aead = message.aead,
                     .key = KeyOf(message, *prepared[i]),
                     .associated_data = message.associated_data,
                     .nonce = message.nonce,
                     .sealed = octets,
                     .plaintext = plaintext});
  }
  aead.Open(opens);
  for (std::size_t i = 0; i < messages.size(); ++i) {
    outcome.ok.push_back(opens[i].ok);
    outcome.opened.emplace_back(opens[i].plaintext, opens[i].plaintext + texts[i].size());
  }
  return outcome;
}

void Test(ByteView input) {
  Source source(input);
  std::vector<Message> messages(1 + source.Next() % kJobCountMax);
  for (Message& message : messages) message = MakeMessage(source);
  std::vector<PreparedKey> keys;
  keys.reserve(messages.size());
  std::vector<const PreparedKey*> prepared;
  for (const Message& message : messages) {
    const auto same = [&](const PreparedKey& key) {
      return key.aead() == message.aead && std::equal(key.key().begin(), key.key().end(), message.key.begin());
    };
    auto found = std::find_if(keys.begin(), keys.end(), same);
    if (found == keys.end()) found = keys.insert(keys.end(), PreparedKey(message.aead, message.key));
    prepared.push_back(&*found);
  }
  const std::vector<const Aead*> aeads = AvailableAeads();
  const Outcome expected = Run(*aeads.back(), messages, prepared);
  for (std::size_t i = 0; i < messages.size(); ++i) {
    CHECK(expected.ok[i] == (messages[i].flip == 0));
    CHECK(expected.opened[i] == (expected.ok[i] ? messages[i].plaintext : Octets(messages[i].plaintext.size())));
  }
  for (const Aead* aead : aeads) CHECK(Run(*aead, messages, prepared) == expected);
}

}  // namespace
}  // namespace ntsd

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ntsd::Test({data, size});
  return 0;
}
