#include "core/nts/responder.h"

#include <algorithm>
#include <cstring>

#include "core/base/check.h"
#include "core/base/fixed_vector.h"
#include "core/ntp/extension_field.h"
#include "core/ntp/header.h"
#include "core/nts/header_template.h"
#include "core/nts/responder_work.h"

namespace ntsd {
namespace {

// Who waited longer than that has asked again or somebody else, and an answer would only lengthen the queue.
constexpr Duration kAgeMax = std::chrono::seconds(1);
// Type, length, Nonce Length and Ciphertext Length (RFC 8915 §5.6).
constexpr std::size_t kAuthenticatorHeaderSize = 8;

// Octets of an NTS answer with everything but its cookies.
std::size_t NtsReplyOverhead(const Request& request, AeadId aead) {
  return kNtpHeaderSize + request.unique_id_field.size() + kAuthenticatorHeaderSize + PadToWord(AeadNonceSize(aead)) +
         kAeadTagSize;
}

}  // namespace

Responder::Responder(const Aead& aead, KeyRing& ring, const Published<ServerState>& state, const Clock& clock,
                     Random& random, std::vector<ListenerPolicy> policies, Guard* guard, InterleavedStore* departures)
    : aead_(aead),
      keys_(ring),
      state_(state),
      clock_(clock),
      random_(random),
      policies_(std::move(policies)),
      departures_(departures),
      counters_(policies_.size()),
      started_(clock.Now()),
      headers_(std::make_unique<std::array<HeaderTemplate, 2>>()),
      works_(std::make_unique<std::array<Work, kBatchSizeMax>>()) {
  cookie_seals_.reserve(kBatchCookiesMax);
  if (guard != nullptr) guard_.emplace(*guard);
}

Responder::~Responder() = default;

void Responder::Prepare(std::span<Exchange> batch) {
  CHECK(batch.size() <= kBatchSizeMax);
  const MonotonicTime now = clock_.Monotonic();
  const UnixTime wall = clock_.Now();
  ReadState(wall, now);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    batch[i].slot = i;
    batch[i].reply_size = 0;
    batch[i].sample = 0;
    Classify(batch[i], (*works_)[i]);
  }
  DropStale(batch, wall, now);
  if (guard_) Limit(batch, now);
  {
    const KeyRing::Pin keys = keys_.Acquire();
    OpenCookiesOf(batch, *keys);
    VerifyRequests(batch);
    WriteReplies(batch, *keys);
  }
  CountRequests(batch);
}

void Responder::ReadState(UnixTime wall, MonotonicTime now) {
  const ServerState state = state_.Read();
  (*headers_)[0].Update(state, wall, now);
  const bool any_smears =
      std::any_of(policies_.begin(), policies_.end(), [](const ListenerPolicy& policy) { return policy.smear; });
  if (any_smears) (*headers_)[1].Update(state.Smeared(wall), wall, now);
}

// Everything that needs no cryptography.
void Responder::Classify(Exchange& exchange, Work& work) {
  work.cookie_is_open = false;
  work.is_over_limit = false;
  work.is_sealed = false;
  work.is_remembered = false;
  work.kiss.reset();
  work.interleaved.reset();
  work.reply_size = 0;
  const ListenerPolicy& policy = policies_[exchange.listener];
  if (!exchange.to_unicast) {
    exchange.reason = Reason::kBadDestination;
    return;
  }
  if (exchange.source.address.IsMulticastOrBroadcast() || exchange.source.address.IsUnspecified()) {
    exchange.reason = Reason::kBadSource;
    return;
  }
  const Request& request = work.request;
  if (const auto parsed = ParseRequest(exchange.request, exchange.source.port, policy.versions, work.request);
      !parsed) {
    exchange.reason = parsed.error();
    return;
  }
  counters_.requests[exchange.listener].Add(ResponderCounters::RequestIndex(request.version, request.is_nts));
  if (request.is_nts) {
    exchange.reason = Reason::kNts;
  } else if (policy.require_nts == RequireNts::kIgnore) {
    exchange.reason = Reason::kPlainIgnored;
  } else if (policy.require_nts == RequireNts::kDeny) {
    exchange.reason = Reason::kPlainDenied;
    work.kiss = KissCode::kDeny;
  } else {
    exchange.reason = Reason::kPlain;
  }
}

// Only while more arrives than we can answer, which shows in batches that stay full, and only what came since we
// started: what was queued before waited for us, not behind others.
void Responder::DropStale(std::span<Exchange> batch, UnixTime wall, MonotonicTime now) {
  if (batch.size() < kBatchSizeMax) {
    backlog_since_.reset();
    return;
  }
  if (!backlog_since_) backlog_since_ = now;
  if (now - *backlog_since_ < kAgeMax) return;
  for (Exchange& exchange : batch) {
    const bool is_stale = exchange.received >= started_ && wall - exchange.received > kAgeMax;
    if (is_stale && ActionOf(exchange.reason) != Action::kDrop) exchange.reason = Reason::kStale;
  }
}

// Before any cryptography: whoever is over its limit costs a look-up and nothing more.
void Responder::Limit(std::span<Exchange> batch, MonotonicTime now) {
  FixedVector<IpAddress, kBatchSizeMax> sources;
  FixedVector<Exchange*, kBatchSizeMax> owners;
  std::array<GuardReason, kBatchSizeMax> verdicts;
  for (Exchange& exchange : batch) {
    if (ActionOf(exchange.reason) == Action::kDrop) continue;
    sources.push_back(exchange.source.address);
    owners.push_back(&exchange);
  }
  guard_->Decide(sources.span(), now, random_, std::span(verdicts).first(sources.size()));
  for (std::size_t i = 0; i < owners.size(); ++i) {
    Exchange& exchange = *owners[i];
    switch (ActionOf(verdicts[i])) {
      case GuardAction::kServe:
        break;
      case GuardAction::kDrop:
        exchange.reason = verdicts[i] == GuardReason::kDeniedByAccess ? Reason::kAccessDenied : Reason::kRateDropped;
        break;
      case GuardAction::kRate:
        // An NTS request has to authenticate first, so that its RATE can be authenticated, too.
        if (exchange.reason == Reason::kNts) {
          (*works_)[exchange.slot].is_over_limit = true;
        } else {
          exchange.reason = Reason::kRateLimited;
          (*works_)[exchange.slot].kiss = KissCode::kRate;
        }
        break;
    }
  }
}

void Responder::OpenCookiesOf(std::span<Exchange> batch, const KeySet& keys) {
  FixedVector<CookieOpenJob, kBatchSizeMax> jobs;
  FixedVector<Exchange*, kBatchSizeMax> owners;
  for (Exchange& exchange : batch) {
    if (exchange.reason != Reason::kNts) continue;
    Work& work = (*works_)[exchange.slot];
    jobs.push_back({.cookie = work.request.cookie, .keys = &work.keys});
    owners.push_back(&exchange);
  }
  OpenCookies(aead_, keys, jobs.span());
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const KeySet::Entry* const master = jobs[i].master;
    const std::size_t age = master == nullptr                    ? ResponderCounters::kUnknownAge
                            : master->state == KeyState::kFuture ? ResponderCounters::kFutureAge
                                                                 : master->age;
    (*works_)[owners[i]->slot].cookie_is_open = jobs[i].ok;
    if (jobs[i].ok || master == nullptr) counters_.cookie_ages.Add(age);
    if (!jobs[i].ok) owners[i]->reason = master == nullptr ? Reason::kUnknownCookieKey : Reason::kBadCookie;
  }
}

void Responder::VerifyRequests(std::span<Exchange> batch) {
  FixedVector<OpenJob, kBatchSizeMax> jobs;
  FixedVector<Exchange*, kBatchSizeMax> owners;
  for (Exchange& exchange : batch) {
    if (exchange.reason != Reason::kNts) continue;
    const Work& work = (*works_)[exchange.slot];
    exchange.reason = CheckAuthenticatorShape(work.request, work.keys.aead);
    if (exchange.reason != Reason::kNts) continue;
    // Decrypted where it stands in the caller's request.
    const std::size_t sealed_at = static_cast<std::size_t>(work.request.sealed.data() - exchange.request.data());
    jobs.push_back({.aead = work.keys.aead,
                    .key = {.raw = work.keys.c2s.data()},
                    .associated_data = work.request.associated_data,
                    .nonce = work.request.nonce,
                    .sealed = work.request.sealed,
                    .plaintext = exchange.request.data() + sealed_at + AeadPlaintextOffset(work.keys.aead)});
    owners.push_back(&exchange);
  }
  aead_.Open(jobs.span());
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    if (!jobs[i].ok) {
      owners[i]->reason = Reason::kBadAuthenticator;
      continue;
    }
    Work& work = (*works_)[owners[i]->slot];
    const ByteView plaintext(jobs[i].plaintext, jobs[i].sealed.size() - kAeadTagSize);
    const auto encrypted = CountEncryptedPlaceholders(plaintext, work.request.cookie.size());
    if (!encrypted) {
      owners[i]->reason = encrypted.error();
      continue;
    }
    work.cookie_count = std::min(1 + work.request.placeholder_count + *encrypted, kCookiesPerReplyMax);
  }
}

// How many cookies fit (RFC 8915 §5.7: as many as were asked for; never an answer longer than the request).
void Responder::PlanReply(Exchange& exchange, Work& work, AeadId master) const {
  const std::size_t cookie_field_size = kExtensionFieldHeaderSize + CookieSize(master, work.keys.aead);
  const std::size_t limit = std::min(exchange.request.size(), kReplySizeMax);
  const std::size_t overhead = NtsReplyOverhead(work.request, work.keys.aead);
  const std::size_t fitting = overhead > limit ? 0 : (limit - overhead) / cookie_field_size;
  work.cookie_count = std::min(work.cookie_count, fitting);
  if (work.cookie_count == 0) {
    exchange.reason = Reason::kNoRoomForCookie;
    return;
  }
  // Equal length makes the path symmetric (R-NTS-10); any filling is Additional Padding in the authenticator.
  work.reply_size = limit;
  work.is_sealed = true;
  if (work.is_over_limit) {
    exchange.reason = Reason::kRateLimited;
    work.kiss = KissCode::kRate;
  }
}

void Responder::WriteReplies(std::span<Exchange> batch, const KeySet& keys) {
  const AeadId master = keys.current().key.aead();
  cookie_seals_.clear();
  std::array<std::uint64_t, kBatchSizeMax> noise;
  random_.Fill(ByteSpan(reinterpret_cast<std::uint8_t*>(noise.data()), batch.size() * sizeof(noise[0])));
  for (Exchange& exchange : batch) {
    Work& work = (*works_)[exchange.slot];
    if (exchange.reason == Reason::kNts) PlanReply(exchange, work, master);
    const Action action = ActionOf(exchange.reason);
    if (action == Action::kNak) work.kiss = KissCode::kNtsn;
    if (!work.is_sealed && work.cookie_is_open) {
      Wipe(work.keys.c2s);
      Wipe(work.keys.s2c);
    }
    if (action == Action::kDrop) continue;
    CHECK(exchange.reply.size() >= kReplySizeMax);
    WriteHeader(exchange, noise[exchange.slot], work);
    if (work.is_sealed || !work.request.unique_id_field.empty()) {
      WriteFields(exchange, work, master);
    } else {
      work.reply_size = kNtpHeaderSize;
    }
  }
  SealCookies(aead_, keys, random_, cookie_seals_);
}

// The transmit timestamp is left for Finish().
inline void Responder::WriteHeader(const Exchange& exchange, std::uint64_t noise, Work& work) {
  const Request& request = work.request;
  const ListenerPolicy& policy = policies_[exchange.listener];
  const HeaderTemplate& shared = (*headers_)[policy.smear ? 1 : 0];
  work.transmit_noise = static_cast<std::uint32_t>(noise);
  work.receive =
      InterleavedStore::MarkReceive(shared.Stamp(exchange.received, static_cast<std::uint32_t>(noise >> 32)));
  const auto header = exchange.reply.first<kNtpHeaderSize>();
  if (work.kiss) [[unlikely]] {
    std::memcpy(header.data(), shared.Kiss(*work.kiss).data(), kNtpHeaderSize);
  } else {
    std::memcpy(header.data(), shared.octets.data(), kNtpHeaderSize);
  }
  header[0] |= static_cast<std::uint8_t>(request.version << 3);
  header[kNtpPollOffset] = static_cast<std::uint8_t>(std::max(request.poll, policy.poll_floor));
  ByteWriter stamps(header.subspan<kNtpOriginOffset>());
  const bool is_interleaved = LookUpDeparture(exchange, work);
  stamps.WriteU64(is_interleaved ? request.receive.bits : request.transmit.bits);
  stamps.WriteU64(work.receive.bits);
}

// RFC 9769 §2: whether the answer tells when the one before left. Basic mode for whoever did not ask, and for whom we
// do not remember (any more); for authentic requests only, so that a forgery can take nobody's departure away; and
// never in a kiss.
inline bool Responder::LookUpDeparture(const Exchange& exchange, Work& work) {
  const Request& request = work.request;
  if (!InterleavedStore::IsAskedFor(request.origin, request.receive, request.transmit) || departures_ == nullptr ||
      work.kiss || !policies_[exchange.listener].interleaved) {
    return false;
  }
  work.is_remembered = true;
  departures_->Prefetch(work.receive);
  const auto departure = departures_->Take(request.origin, work.receive, ContextOf(exchange));
  if (!departure) return false;
  work.interleaved = InterleavedStore::MarkTransmit(departure->transmit);
  counters_.interleaved.Add(departure->is_measured ? ResponderCounters::kToldMeasured
                                                   : ResponderCounters::kToldReckoned);
  return true;
}

// What follows the header.
void Responder::WriteFields(const Exchange& exchange, Work& work, AeadId master) {
  ByteWriter writer(exchange.reply.first(kReplySizeMax));
  writer.Reserve(kNtpHeaderSize);
  // RFC 8915 §5.3: echoed in every answer, whatever it says.
  writer.WriteBytes(work.request.unique_id_field);
  if (work.is_sealed) {
    WriteNtsReply(work, writer, master);
  } else {
    work.reply_size = writer.size();
  }
  CHECK(writer.ok() && work.reply_size == writer.size());
}

void Responder::WriteNtsReply(Work& work, ByteWriter& writer, AeadId master) {
  const AeadId aead = work.keys.aead;
  const std::size_t cookie_size = CookieSize(master, aead);
  const std::size_t plaintext_size = work.cookie_count * (kExtensionFieldHeaderSize + cookie_size);
  const std::size_t nonce_size = AeadNonceSize(aead);
  work.associated_size = writer.size();
  WriteExtensionFieldHeader(writer, ExtensionFieldType::kNtsAuthenticator,
                            work.reply_size - work.associated_size - kExtensionFieldHeaderSize);
  writer.WriteU16(static_cast<std::uint16_t>(nonce_size));
  writer.WriteU16(static_cast<std::uint16_t>(plaintext_size + kAeadTagSize));
  const ByteSpan nonce = writer.Reserve(nonce_size);
  random_.Fill(nonce);
  work.nonce = nonce;
  work.sealed = writer.Reserve(plaintext_size + kAeadTagSize);
  ByteWriter plaintext(work.sealed.subspan(AeadPlaintextOffset(aead), plaintext_size));
  for (std::size_t i = 0; i < work.cookie_count; ++i) {
    WriteExtensionFieldHeader(plaintext, ExtensionFieldType::kNtsCookie, cookie_size);
    cookie_seals_.push_back({.keys = &work.keys, .cookie = plaintext.Reserve(cookie_size).data()});
  }
  writer.WriteZeros(work.reply_size - writer.size());
}

// What is dropped ends here; what is answered ends in Finish().
void Responder::CountRequests(std::span<const Exchange> batch) {
  std::size_t octets_in = 0;
  for (const Exchange& exchange : batch) {
    octets_in += exchange.request.size();
    if (ActionOf(exchange.reason) == Action::kDrop) counters_.reasons.Add(static_cast<std::size_t>(exchange.reason));
  }
  counters_.octets.Add(ResponderCounters::kOctetsIn, octets_in);
}

}  // namespace ntsd
