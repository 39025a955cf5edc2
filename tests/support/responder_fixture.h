// A whole responder on fake clock and fake randomness, with keys that the tests know.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "core/keys/key_ring.h"
#include "core/nts/client.h"
#include "core/nts/responder.h"
#include "tests/support/fakes.h"
#include "tests/support/vectors.h"

namespace ntsd::testing {

inline MasterKey MakeMasterKey(KeyId id, AeadId aead = AeadId::kAesSivCmac256, std::uint8_t first_octet = 0x80) {
  MasterKey key{.id = id, .aead = aead, .key = {}, .created = UnixTime(std::chrono::seconds(1'767'000'000))};
  std::uint8_t octet = first_octet;
  for (std::uint8_t& target : key.key.Resize(AeadKeySize(aead))) target = octet++;
  return key;
}

// A cookie under the current key of the ring.
inline Octets SealedCookie(KeyRing& ring, Random& random, const AssociationKeys& keys) {
  KeyRing::Reader reader(ring);
  const KeyRing::Pin pin = reader.Acquire();
  Octets cookie(CookieSize(pin->current().key.aead(), keys.aead));
  const CookieSealJob job{.keys = &keys, .cookie = cookie.data()};
  SealCookies(*SelectAead(), *pin, random, std::span(&job, 1));
  return cookie;
}

// The keys of the worked examples for that AEAD.
inline AssociationKeys VectorKeys(AeadId aead) {
  AssociationKeys keys;
  keys.aead = aead;
  const std::string number = std::to_string(AeadNumber(aead));
  const Octets c2s = Vector("key_c2s_" + number);
  const Octets s2c = Vector("key_s2c_" + number);
  std::copy(c2s.begin(), c2s.end(), keys.c2s.begin());
  std::copy(s2c.begin(), s2c.end(), keys.s2c.begin());
  return keys;
}

struct Answer {
  Reason reason;
  Octets datagram;  // empty = silence
};

class ResponderHarness {
 public:
  explicit ResponderHarness(std::vector<MasterKey> keys = {MakeMasterKey(0x0000A001)}, std::size_t future_count = 0,
                            std::vector<ListenerPolicy> policies = {ListenerPolicy{}},
                            Random* random_override = nullptr, Guard* guard = nullptr)
      : ring(KeySet::Make(keys, future_count, 1, false)),
        state(SynchronizedState()),
        responder(*SelectAead(), ring, state, clock, random_override != nullptr ? *random_override : random,
                  std::move(policies), guard) {}

  static ServerState SynchronizedState() {
    ServerState initial;
    initial.synchronized = true;
    initial.leap = LeapIndicator::kNone;
    initial.stratum = 1;
    initial.precision = -25;
    initial.reference_id = 0x47505300;  // "GPS"
    initial.reference_time = UnixTime(std::chrono::seconds(1'767'225'600));
    initial.root_dispersion = std::chrono::microseconds(500);
    initial.dispersion_at = MonotonicTime(std::chrono::hours(1));
    return initial;
  }

  void Publish(const std::vector<MasterKey>& keys, std::size_t future_count = 0) {
    ring.Publish(KeySet::Make(keys, future_count, ++generation, false));
    ring.Reclaim();
  }

  // One batch; answers in the order of the requests.
  std::vector<Answer> Ask(const std::vector<Octets>& requests, IpEndpoint source = DefaultSource(),
                          std::size_t listener = 0) {
    std::vector<Octets> copies = requests;
    std::vector<std::array<std::uint8_t, kReplySizeMax>> replies(requests.size());
    std::vector<Exchange> batch(requests.size());
    for (std::size_t i = 0; i < requests.size(); ++i) {
      batch[i].request = copies[i];
      batch[i].reply = replies[i];
      batch[i].source = source;
      batch[i].to_unicast = to_unicast;
      batch[i].received = clock.Now() - age;
      batch[i].listener = listener;
    }
    responder.Prepare(batch);
    clock.Advance(std::chrono::microseconds(20));
    for (std::size_t first = 0; first < batch.size(); first += kSendGroupSizeMax) {
      const std::size_t count = std::min(kSendGroupSizeMax, batch.size() - first);
      responder.Finish(std::span(batch).subspan(first, count));
    }
    std::vector<Answer> answers;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      answers.push_back({batch[i].reason, Octets(replies[i].begin(), replies[i].begin() + static_cast<std::ptrdiff_t>(
                                                                                              batch[i].reply_size))});
    }
    return answers;
  }
  Answer Ask(const Octets& request) { return Ask(std::vector<Octets>{request})[0]; }

  Octets SealedCookie(const AssociationKeys& keys) { return testing::SealedCookie(ring, random, keys); }
  // What NTS-KE would have given a client.
  NtsAssociation Associate(AeadId aead, std::size_t cookie_count = 8) {
    NtsAssociation association;
    association.keys = VectorKeys(aead);
    for (std::size_t i = 0; i < cookie_count; ++i) association.cookies.push_back(SealedCookie(association.keys));
    return association;
  }
  std::uint64_t CountOf(Reason reason) const {
    return responder.counters().reasons.Read(static_cast<std::size_t>(reason));
  }

  static IpEndpoint DefaultSource() { return {IpAddress::V4(0xC0000205), 40000}; }

  FakeClock clock;
  FakeRandom random;
  bool to_unicast = true;
  Duration age{};  // how long requests have waited
  KeyRing ring;
  Published<ServerState> state;
  Responder responder;
  std::uint64_t generation = 1;
};

}  // namespace ntsd::testing
