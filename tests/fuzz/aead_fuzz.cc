// Batches of jobs as the input says: the backend that it names seals as the portable one does, and opens what was
// sealed and nothing else. Most batches are short, since the portable backend takes microseconds to expand a key.
#include <algorithm>
#include <cstdint>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

#include "core/base/check.h"
#include "core/crypto/aead.h"
#include "core/crypto/prepared_key.h"

namespace ntsd {
namespace {

using Octets = std::vector<std::uint8_t>;

// More than the widest kernel takes at once. Long strings have their unit tests.
constexpr std::size_t kJobCountMax = 20;
constexpr std::size_t kBatchSizeMax = 320;
constexpr std::size_t kShortSizeMax = 3;  // when that is used up
constexpr AeadId kAeads[] = {AeadId::kAesSivCmac256, AeadId::kAesSivCmac512, AeadId::kAes128GcmSiv};

// The input: eight octets for each job, then octets to fill the strings from, again and again.
struct Message {
  AeadId aead{};
  const PreparedKey* prepared = nullptr;  // or `key` as it is
  bool in_place = false;
  std::uint8_t flip = 0;  // 0: opened as it is; else one bit is flipped in between
  Octets key, associated_data, nonce, plaintext;
};

class Source {
 public:
  explicit Source(ByteView input) : input_(input) {}
  std::uint8_t Next() { return input_.empty() ? 0 : input_[position_++ % input_.size()]; }
  // A string of so many octets, or fewer when the batch is large already.
  Octets TakeText(std::size_t size) {
    const std::size_t allowed = std::max(kShortSizeMax, left_);
    const std::size_t taken = std::min(size, allowed);
    left_ -= std::min(left_, taken);
    return Take(taken);
  }
  Octets Take(std::size_t size) {
    Octets octets(size);
    for (std::uint8_t& octet : octets) octet = static_cast<std::uint8_t>(Next() ^ counter_++);
    return octets;
  }

 private:
  ByteView input_;
  std::size_t position_ = 0;
  std::size_t left_ = kBatchSizeMax;
  std::uint8_t counter_ = 0;
};

// They are few, so that jobs share them, and made once.
const PreparedKey& PreparedFor(AeadId aead, std::uint8_t form) {
  static std::vector<std::unique_ptr<PreparedKey>> keys(std::size(kAeads) * 4);
  std::unique_ptr<PreparedKey>& key = keys[form % std::size(kAeads) * 4 + (form >> 4 & 3)];
  if (key == nullptr) key = std::make_unique<PreparedKey>(aead, Octets(AeadKeySize(aead), form & 0x30));
  return *key;
}

Message MakeMessage(Source& source) {
  Message message;
  const std::uint8_t form = source.Next();
  message.aead = kAeads[form % 3];
  if ((form & 0x40) != 0) {
    message.prepared = &PreparedFor(message.aead, form);
  } else {
    message.key = source.Take(AeadKeySize(message.aead));
  }
  message.in_place = (form & 0x80) != 0;
  message.flip = source.Next() < 128 ? 0 : source.Next();
  message.associated_data = source.TakeText(source.Next());
  message.nonce = source.Take(message.aead == AeadId::kAes128GcmSiv ? 12 : form & 0x08 ? 16 : 1 + source.Next() % 60);
  message.plaintext = source.TakeText(form & 0x04 ? 0 : source.Next());
  return message;
}

std::size_t JobCount(std::uint8_t octet) { return 1U + octet % (octet < 224 ? 4 : kJobCountMax); }

AeadKey KeyOf(const Message& message) {
  return message.prepared != nullptr ? AeadKey{.prepared = message.prepared} : AeadKey{.raw = message.key.data()};
}

// Where the plaintext stands for a job whose sealed text is here.
std::uint8_t* PlaintextAt(const Message& message, Octets& sealed, Octets& apart) {
  return message.in_place ? sealed.data() + AeadPlaintextOffset(message.aead) : apart.data();
}

std::vector<Octets> Seal(const Aead& aead, const std::vector<Message>& messages) {
  std::vector<Octets> sealed, plaintexts;
  for (const Message& message : messages) {
    sealed.emplace_back(message.plaintext.size() + kAeadTagSize);
    plaintexts.push_back(message.plaintext);
  }
  std::vector<SealJob> jobs;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const Message& message = messages[i];
    std::uint8_t* const plaintext = PlaintextAt(message, sealed[i], plaintexts[i]);
    if (message.in_place) std::copy(message.plaintext.begin(), message.plaintext.end(), plaintext);
    jobs.push_back({.aead = message.aead,
                    .key = KeyOf(message),
                    .associated_data = message.associated_data,
                    .nonce = message.nonce,
                    .plaintext = {plaintext, message.plaintext.size()},
                    .sealed = sealed[i].data()});
  }
  aead.Seal(jobs);
  return sealed;
}

void CheckOpening(const Aead& aead, const std::vector<Message>& messages, std::vector<Octets> sealed) {
  std::vector<Octets> plaintexts;
  for (const Message& message : messages) plaintexts.emplace_back(message.plaintext.size(), 0xA5);
  std::vector<OpenJob> jobs;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const Message& message = messages[i];
    if (message.flip != 0) sealed[i][message.flip % sealed[i].size()] ^= message.flip;
    jobs.push_back({.aead = message.aead,
                    .key = KeyOf(message),
                    .associated_data = message.associated_data,
                    .nonce = message.nonce,
                    .sealed = sealed[i],
                    .plaintext = PlaintextAt(message, sealed[i], plaintexts[i])});
  }
  aead.Open(jobs);
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const Octets& plaintext = messages[i].plaintext;
    CHECK(jobs[i].ok == (messages[i].flip == 0));
    const Octets expected = jobs[i].ok ? plaintext : Octets(plaintext.size());
    CHECK(std::equal(expected.begin(), expected.end(), jobs[i].plaintext));
  }
}

void Test(ByteView input) {
  static const std::vector<const Aead*> aeads = AvailableAeads();
  const Aead& portable = *aeads.back();
  Source source(input);
  const Aead& tested = *aeads[source.Next() % aeads.size()];
  std::vector<Message> messages(JobCount(source.Next()));
  for (Message& message : messages) message = MakeMessage(source);
  std::vector<Octets> sealed = Seal(portable, messages);
  if (&tested != &portable) CHECK(Seal(tested, messages) == sealed);
  CheckOpening(tested, messages, std::move(sealed));
}

}  // namespace
}  // namespace ntsd

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ntsd::Test({data, size});
  return 0;
}
