#include "core/nts/responder.h"

#include <algorithm>
#include <optional>

#include "core/base/check.h"
#include "core/ntp/extension_field.h"
#include "core/ntp/header.h"

namespace ntsd {
namespace {

constexpr std::size_t kTransmitOffset = 40;
// Type, length, Nonce Length and Ciphertext Length (RFC 8915 §5.6).
constexpr std::size_t kAuthenticatorHeaderSize = 8;

// Octets of an NTS answer with everything but its cookies.
std::size_t NtsReplyOverhead(const Request& request, AeadId aead) {
  return kNtpHeaderSize + request.unique_id_field.size() + kAuthenticatorHeaderSize + PadToWord(AeadNonceSize(aead)) +
         kAeadTagSize;
}

}  // namespace

// What stays the same for all answers of a batch (R-SEC-08: nothing in it depends on the client).
struct Responder::HeaderTemplate {
  NtpHeader header;
  // Bits of a timestamp that the clock cannot tell; they are random (RFC 5905 §6, R-NTP-11).
  std::uint32_t noise_mask = 0;

  void Update(const ServerState& state, MonotonicTime now) {
    header = NtpHeader{};
    header.mode = NtpMode::kServer;
    header.precision = state.precision;
    const int noise_bits = 32 + state.precision;
    noise_mask = noise_bits <= 0 ? 0 : noise_bits >= 32 ? 0xFFFF'FFFF : (std::uint32_t{1} << noise_bits) - 1;
    header.root_delay = NtpShort::FromDuration(state.root_delay);
    header.root_dispersion = NtpShort::FromDuration(state.RootDispersionAt(now));
    if (state.reference_time != UnixTime{}) header.reference = NtpTimestamp::FromUnix(state.reference_time);
    if (state.IsFitToServe(now)) {
      header.leap = state.leap;
      header.stratum = state.stratum;
      header.reference_id = state.reference_id;
    } else {
      // RFC 5905 §7.3: stratum 16 is sent as 0; reference id 0, so that nobody takes it for a kiss code.
      header.leap = LeapIndicator::kUnsynchronized;
    }
  }

  // RFC 5905 §7.4: everything but the code and the timestamps is empty.
  NtpHeader Kiss(KissCode code) const {
    NtpHeader kiss;
    kiss.leap = LeapIndicator::kUnsynchronized;
    kiss.mode = NtpMode::kServer;
    kiss.precision = header.precision;
    kiss.reference_id = static_cast<std::uint32_t>(code);
    return kiss;
  }
};

struct Responder::Work {
  Request request;
  AssociationKeys keys;
  bool cookie_is_open = false;
  std::optional<KissCode> kiss;
  std::uint32_t transmit_noise = 0;
  NtpTimestamp receive;
  // Of the prepared answer.
  std::size_t reply_size = 0;
  std::size_t cookie_count = 0;
  // NTS answers only: where the authenticator begins, its nonce and its sealed part.
  std::size_t associated_size = 0;
  ByteView nonce;
  ByteSpan sealed;
};

Responder::Responder(const Aead& aead, KeyRing& ring, const Published<ServerState>& state, const Clock& clock,
                     Random& random, std::vector<ListenerPolicy> policies)
    : aead_(aead),
      keys_(ring),
      state_(state),
      clock_(clock),
      random_(random),
      policies_(std::move(policies)),
      counters_(policies_.size()),
      header_(std::make_unique<HeaderTemplate>()),
      works_(kBatchSizeMax) {
  cookie_seals_.reserve(kBatchCookiesMax);
}

Responder::~Responder() = default;

void Responder::Prepare(std::span<Exchange> batch) {
  CHECK(batch.size() <= kBatchSizeMax);
  header_->Update(state_.Read(), clock_.Monotonic());
  for (std::size_t i = 0; i < batch.size(); ++i) {
    batch[i].slot = i;
    batch[i].reply_size = 0;
    Classify(batch[i], works_[i]);
  }
  {
    const KeyRing::Pin keys = keys_.Acquire();
    OpenCookiesOf(batch, *keys);
    VerifyRequests(batch);
    WriteReplies(batch, *keys);
  }
  Count(batch);
}

// Everything that needs no cryptography.
void Responder::Classify(Exchange& exchange, Work& work) {
  work.request = Request{};
  work.cookie_is_open = false;
  work.kiss.reset();
  work.reply_size = 0;
  const ListenerPolicy& policy = policies_[exchange.listener];
  if (exchange.destination.IsMulticastOrBroadcast()) {
    exchange.reason = Reason::kBadDestination;
    return;
  }
  if (exchange.source.address.IsMulticastOrBroadcast() || exchange.source.address.IsUnspecified()) {
    exchange.reason = Reason::kBadSource;
    return;
  }
  auto request = ParseRequest(exchange.request, exchange.source.port, policy.versions);
  if (!request) {
    exchange.reason = request.error();
    return;
  }
  work.request = *request;
  counters_.requests[exchange.listener].Add(ResponderCounters::RequestIndex(request->version, request->is_nts));
  if (request->is_nts) {
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

void Responder::OpenCookiesOf(std::span<Exchange> batch, const KeySet& keys) {
  std::array<CookieOpenJob, kBatchSizeMax> jobs;
  std::array<Exchange*, kBatchSizeMax> owners;
  std::size_t count = 0;
  for (Exchange& exchange : batch) {
    if (exchange.reason != Reason::kNts) continue;
    Work& work = works_[exchange.slot];
    jobs[count] = {.cookie = work.request.cookie, .keys = &work.keys};
    owners[count++] = &exchange;
  }
  OpenCookies(aead_, keys, std::span(jobs).first(count));
  for (std::size_t i = 0; i < count; ++i) {
    const KeySet::Entry* const master = jobs[i].master;
    const std::size_t age = master == nullptr                    ? ResponderCounters::kUnknownAge
                            : master->state == KeyState::kFuture ? ResponderCounters::kFutureAge
                                                                 : master->age;
    works_[owners[i]->slot].cookie_is_open = jobs[i].ok;
    if (jobs[i].ok || master == nullptr) counters_.cookie_ages.Add(age);
    if (!jobs[i].ok) owners[i]->reason = master == nullptr ? Reason::kUnknownCookieKey : Reason::kBadCookie;
  }
}

void Responder::VerifyRequests(std::span<Exchange> batch) {
  std::array<OpenJob, kBatchSizeMax> jobs;
  std::array<Exchange*, kBatchSizeMax> owners;
  std::size_t count = 0;
  for (Exchange& exchange : batch) {
    if (exchange.reason != Reason::kNts) continue;
    const Work& work = works_[exchange.slot];
    exchange.reason = CheckAuthenticatorShape(work.request, work.keys.aead);
    if (exchange.reason != Reason::kNts) continue;
    // Decrypted where it stands in the caller's request.
    const std::size_t sealed_at = static_cast<std::size_t>(work.request.sealed.data() - exchange.request.data());
    jobs[count] = {.aead = work.keys.aead,
                   .key = {.raw = work.keys.c2s.data()},
                   .associated_data = work.request.associated_data,
                   .nonce = work.request.nonce,
                   .sealed = work.request.sealed,
                   .plaintext = exchange.request.data() + sealed_at + AeadPlaintextOffset(work.keys.aead)};
    owners[count++] = &exchange;
  }
  aead_.Open(std::span(jobs).first(count));
  for (std::size_t i = 0; i < count; ++i) {
    if (!jobs[i].ok) {
      owners[i]->reason = Reason::kBadAuthenticator;
      continue;
    }
    Work& work = works_[owners[i]->slot];
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
}

void Responder::WriteReplies(std::span<Exchange> batch, const KeySet& keys) {
  const AeadId master = keys.current().key.aead();
  cookie_seals_.clear();
  for (Exchange& exchange : batch) {
    Work& work = works_[exchange.slot];
    if (exchange.reason == Reason::kNts) PlanReply(exchange, work, master);
    const Action action = ActionOf(exchange.reason);
    if (action == Action::kNak) work.kiss = KissCode::kNtsn;
    if (exchange.reason != Reason::kNts && work.cookie_is_open) {
      Wipe(work.keys.c2s);
      Wipe(work.keys.s2c);
    }
    if (action == Action::kDrop) continue;
    CHECK(exchange.reply.size() >= kReplySizeMax);
    ByteWriter writer(exchange.reply.first(kReplySizeMax));
    WriteHeader(exchange, work.request, writer);
    // RFC 8915 §5.3: echoed in every answer, whatever it says.
    writer.WriteBytes(work.request.unique_id_field);
    if (exchange.reason == Reason::kNts) {
      WriteNtsReply(work, writer, master);
    } else {
      work.reply_size = writer.size();
    }
    CHECK(writer.ok() && work.reply_size == writer.size());
  }
  SealCookies(aead_, keys, random_, cookie_seals_);
}

// The transmit timestamp is left for Finish().
void Responder::WriteHeader(const Exchange& exchange, const Request& request, ByteWriter& writer) {
  Work& work = works_[exchange.slot];
  NtpHeader header = work.kiss ? header_->Kiss(*work.kiss) : header_->header;
  const std::uint64_t noise = random_.NextU64();
  work.transmit_noise = static_cast<std::uint32_t>(noise) & header_->noise_mask;
  work.receive = NtpTimestamp::FromUnix(exchange.received);
  work.receive.bits = (work.receive.bits & ~std::uint64_t{header_->noise_mask}) | (noise >> 32 & header_->noise_mask);
  if (work.receive.bits == 0) work.receive.bits = 1;
  header.version = request.version;
  header.poll = request.poll;
  header.origin = request.transmit;
  header.receive = work.receive;
  header.Write(writer);
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

void Responder::Finish(std::span<Exchange> group) {
  CHECK(group.size() <= kBatchSizeMax);
  std::array<SealJob, kBatchSizeMax> jobs;
  std::array<Work*, kBatchSizeMax> sealed;
  std::size_t count = 0;
  const NtpTimestamp now = NtpTimestamp::FromUnix(clock_.Now());
  for (Exchange& exchange : group) {
    Work& work = works_[exchange.slot];
    if (work.reply_size == 0) continue;
    NtpTimestamp transmit{(now.bits & ~std::uint64_t{header_->noise_mask}) | work.transmit_noise};
    // RFC 9769 §2 forbids transmit = receive, and noise may not turn them round.
    if (static_cast<std::int64_t>(transmit.bits - work.receive.bits) <= 0) transmit.bits = work.receive.bits + 1;
    if (transmit.bits == 0) transmit.bits = 1;
    ByteWriter(exchange.reply.subspan(kTransmitOffset)).WriteU64(transmit.bits);
    exchange.reply_size = work.reply_size;
    counters_.octets.Add(ResponderCounters::kOctetsOut, work.reply_size);
    if (work.reply_size > exchange.request.size()) counters_.octets.Add(ResponderCounters::kAmplified);
    if (exchange.reason == Reason::kNts) {
      jobs[count] = {
          .aead = work.keys.aead,
          .key = {.raw = work.keys.s2c.data()},
          .associated_data = exchange.reply.first(work.associated_size),
          .nonce = work.nonce,
          .plaintext = work.sealed.subspan(AeadPlaintextOffset(work.keys.aead), work.sealed.size() - kAeadTagSize),
          .sealed = work.sealed.data()};
      sealed[count++] = &work;
    }
    work.reply_size = 0;
  }
  aead_.Seal(std::span(jobs).first(count));
  for (std::size_t i = 0; i < count; ++i) {
    Wipe(sealed[i]->keys.c2s);
    Wipe(sealed[i]->keys.s2c);
  }
}

void Responder::Count(std::span<const Exchange> batch) {
  for (const Exchange& exchange : batch) {
    counters_.reasons.Add(static_cast<std::size_t>(exchange.reason));
    counters_.octets.Add(ResponderCounters::kOctetsIn, exchange.request.size());
  }
}

}  // namespace ntsd
