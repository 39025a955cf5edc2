#include "bench/load/answer_judge.h"

#include <algorithm>

#include "core/base/check.h"

namespace ntsd::load {
namespace {

// Where the transmit timestamp stands in a header, and the body of the unique identifier behind it in our requests.
constexpr std::size_t kTransmitOffset = 40;
constexpr std::size_t kUniqueIdOffset = kNtpHeaderSize + 4;
// With cookies that are used again, one in so many verified answers gives its cookie to the client, so that it is shown
// that the server's new cookies open.
constexpr std::uint64_t kAdoptEvery = 64;

NtpTimestamp ReadStamp(ByteView octets, std::size_t offset) { return {ByteReader(octets.subspan(offset)).ReadU64()}; }

AnswerKind KindOf(ResponseVerdict verdict) {
  switch (verdict) {
    case ResponseVerdict::kOk:
      return AnswerKind::kOk;
    case ResponseVerdict::kNak:
      return AnswerKind::kNak;
    case ResponseVerdict::kRate:
      return AnswerKind::kRate;
    case ResponseVerdict::kDeny:
      return AnswerKind::kDeny;
    case ResponseVerdict::kUnsynchronized:
      return AnswerKind::kUnsynchronized;
    case ResponseVerdict::kUnauthentic:
      return AnswerKind::kUnauthentic;
    case ResponseVerdict::kMismatched:
      return AnswerKind::kMismatched;
    case ResponseVerdict::kOtherKiss:
      return AnswerKind::kOtherKiss;
    case ResponseVerdict::kTooShort:
    case ResponseVerdict::kNotAnAnswer:
    case ResponseVerdict::kMalformed:
      return AnswerKind::kMalformed;
  }
  return AnswerKind::kMalformed;
}

}  // namespace

AnswerJudge::AnswerJudge(const JudgeSettings& settings, FlightTable& flights, std::span<Client> clients,
                         StampBook* stamps, const Aead& aead)
    : settings_(settings), flights_(flights), clients_(clients), stamps_(stamps), aead_(aead) {}

void AnswerJudge::Judge(std::span<Arrival> arrivals) {
  CHECK(arrivals.size() <= candidates_.size());
  job_count_ = 0;
  std::size_t count = 0;
  for (Arrival& arrival : arrivals) {
    totals_.octets_received += arrival.octets.size();
    Candidate& candidate = candidates_[count];
    if (!Match(arrival, candidate)) continue;
    LookAt(candidate);
    ++count;
  }
  aead_.Open(std::span(jobs_).first(job_count_));
  for (Candidate& candidate : std::span(candidates_).first(count)) {
    TakeVerdict(candidate);
    Settle(candidate);
  }
}

bool AnswerJudge::Match(Arrival& arrival, Candidate& candidate) {
  const ByteView octets = arrival.octets;
  const std::optional<NtpHeader> header = NtpHeader::Parse(octets);
  if (!header) {
    totals_.outcomes.Count(RequestKind::kGood, AnswerKind::kMismatched);
    return false;
  }
  const FlightTable::Match match =
      flights_.Find(settings_.is_echo ? ReadStamp(octets, kTransmitOffset) : header->origin);
  if (match.found != FlightTable::Found::kFlight) {
    const bool is_late = match.found == FlightTable::Found::kTooOld;
    totals_.outcomes.Count(RequestKind::kGood, is_late ? AnswerKind::kLate : AnswerKind::kMismatched);
    return false;
  }
  candidate = {&arrival, match.flight, match.is_interleaved, *header, AnswerKind::kOk, kNoJob};
  return true;
}

void AnswerJudge::LookAt(Candidate& candidate) {
  if (settings_.is_echo) return LookAtEcho(candidate);
  const NtpHeader& header = candidate.header;
  candidate.kind = KindOf(JudgeServer(header));
  if (header.mode != NtpMode::kServer || header.version != settings_.shape.version) {
    candidate.kind = AnswerKind::kMalformed;
  } else if (candidate.arrival->octets.size() > candidate.flight->size) {
    candidate.kind = AnswerKind::kOversized;
  } else if (settings_.shape.is_nts) {
    candidate.kind = LookAtFields(candidate);
  }
  const bool is_time = candidate.kind == AnswerKind::kOk;
  // An interleaved answer's transmit stamp is of the answer before.
  const auto after_receive = static_cast<std::int64_t>(header.transmit.bits - header.receive.bits);
  const bool is_ordered = candidate.is_interleaved || after_receive >= 0;
  if (is_time && (header.receive.IsUnknown() || header.transmit.IsUnknown() || !is_ordered)) {
    candidate.kind = AnswerKind::kStampsDisordered;
  }
}

void AnswerJudge::LookAtEcho(Candidate& candidate) {
  const ByteView octets = candidate.arrival->octets;
  const Flight& flight = *candidate.flight;
  const bool same_size = octets.size() == flight.size;
  const bool has_id = settings_.shape.is_nts && octets.size() >= kUniqueIdOffset + flight.unique_id.size();
  const bool same_id =
      !settings_.shape.is_nts ||
      (has_id && std::equal(flight.unique_id.begin(), flight.unique_id.end(), octets.begin() + kUniqueIdOffset));
  candidate.kind = same_size && same_id ? AnswerKind::kOk : AnswerKind::kMismatched;
}

// What an NTS answer is as far as its fields tell; its verification is added to the batch when it is due.
AnswerKind AnswerJudge::LookAtFields(Candidate& candidate) {
  const Flight& flight = *candidate.flight;
  const ByteSpan octets = candidate.arrival->octets;
  const std::optional<AnswerFields> fields = WalkAnswer(octets);
  if (!fields) return AnswerKind::kMalformed;
  if (!std::equal(fields->unique_id.begin(), fields->unique_id.end(), flight.unique_id.begin(),
                  flight.unique_id.end())) {
    return AnswerKind::kMismatched;
  }
  if (!fields->has_authenticator || fields->sealed.size() < kAeadTagSize) {
    // A NAK comes without one, since the server does not know our keys; nothing else may.
    return candidate.kind == AnswerKind::kNak ? AnswerKind::kNak : AnswerKind::kUnauthentic;
  }
  if (flight.number % settings_.verify_every != 0 && !settings_.shape.spends_cookies) return candidate.kind;
  const AssociationKeys& keys = clients_[flight.client].keys;
  const auto sealed_offset = static_cast<std::size_t>(fields->sealed.data() - octets.data());
  candidate.job = job_count_++;
  jobs_[candidate.job] = {.aead = keys.aead,
                          .key = {.raw = keys.s2c.data()},
                          .associated_data = fields->associated_data,
                          .nonce = fields->nonce,
                          .sealed = fields->sealed,
                          .plaintext = octets.data() + sealed_offset + AeadPlaintextOffset(keys.aead)};
  return candidate.kind;
}

void AnswerJudge::TakeVerdict(Candidate& candidate) {
  if (candidate.job == kNoJob) return;
  const OpenJob& job = jobs_[candidate.job];
  ++totals_.verified;
  if (!job.ok) {
    candidate.kind = AnswerKind::kUnauthentic;
    return;
  }
  cookies_.clear();
  const bool is_sound = ReadCookies(ByteView(job.plaintext, job.sealed.size() - kAeadTagSize), cookies_);
  // An answer with the time and without a cookie would leave the client poorer with each request.
  if (!is_sound || (cookies_.empty() && candidate.kind == AnswerKind::kOk)) {
    candidate.kind = AnswerKind::kMalformed;
    return;
  }
  if (candidate.flight->state != FlightState::kAnswered) TakeCookies(*candidate.flight);
}

void AnswerJudge::TakeCookies(const Flight& flight) {
  CookieJar& jar = clients_[flight.client].cookies;
  if (!settings_.shape.spends_cookies && totals_.verified % kAdoptEvery != 0) return;
  for (const ByteView cookie : cookies_) {
    jar.Add(cookie, true);
    ++totals_.cookies_taken;
  }
}

void AnswerJudge::Settle(Candidate& candidate) {
  Flight& flight = *candidate.flight;
  Outcomes& outcomes = totals_.outcomes;
  if (candidate.kind == AnswerKind::kMismatched) {
    // Somebody's answer with our origin is not ours; the true one may still come.
    outcomes.Count(flight.kind, AnswerKind::kMismatched);
    return;
  }
  if (flight.state == FlightState::kAnswered) {
    outcomes.Count(flight.kind, AnswerKind::kDuplicate);
    return;
  }
  flights_.Answer(flight);
  const Duration since_intended(candidate.arrival->received_ns - flight.intended_ns);
  if (since_intended - Duration(flight.lag_ns) > settings_.timeout) {
    outcomes.Count(flight.kind, AnswerKind::kLate);
    return;
  }
  outcomes.Count(flight.kind, candidate.kind);
  totals_.latency.Record(since_intended);
  if (candidate.kind != AnswerKind::kOk || settings_.is_echo) return;
  if (flight.from_answer) ++totals_.cookies_opened;
  if (candidate.is_interleaved) ++totals_.interleaved;
  clients_[flight.client].server_receive = candidate.header.receive;
  if (stamps_ != nullptr && flight.stamp != Flight::kNoStamp && candidate.arrival->stamp) {
    stamps_->Answered(flight.stamp, candidate.header.receive, candidate.header.transmit, *candidate.arrival->stamp,
                      candidate.is_interleaved);
  }
}

}  // namespace ntsd::load
