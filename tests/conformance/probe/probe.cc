#include "tests/conformance/probe/probe.h"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <thread>

#include "tests/conformance/probe/text.h"
#include "tests/conformance/probe/udp.h"

namespace ntsd::conformance {
namespace {

constexpr std::uint16_t kNtpPort = 123;
// How long an answer may lag behind that of a request which was sent after it.
constexpr Milliseconds kGrace{20};
constexpr Milliseconds kFastTimeout{400};
constexpr Milliseconds kFastAfterAnswer{300};
constexpr Milliseconds kFastAfterClose{50};
// Waits before a connection is tried again that was closed without one octet: servers limit their rate so.
constexpr Milliseconds kBusyPauses[] = {Milliseconds(6000), Milliseconds(15000)};
constexpr Milliseconds kRatePause{8000};

IpAddress Unspecified(bool is_v4) {
  IpAddress address;
  address.is_v4 = is_v4;
  return address;
}

// Closed before one octet came, though we had something to say.
bool LooksBusy(const KeTranscript& transcript) {
  return transcript.IsConnected() && transcript.raw.empty() && transcript.end != StreamEnd::kNone;
}

}  // namespace

std::string Describe(const NtpReply& reply) {
  if (reply.path_is_dead) return "silence, and ordinary requests are not answered either";
  if (!reply.answer) return reply.datagram_count == 0 ? "silence" : "a datagram shorter than an NTP header";
  return Describe(*reply.answer);
}

std::string Probe::Start() {
  addresses_ = target_.addresses;
  if (addresses_.empty()) {
    Expected<std::vector<IpAddress>, std::string> found = Resolve(target_.host);
    if (!found) return found.error();
    addresses_ = *std::move(found);
  }
  if (target_.is_plain) {
    ntp_server_ = {addresses_.front(), target_.ntp_port.value_or(kNtpPort)};
    if (const std::string problem = FindNtpServer({}); !problem.empty()) return problem;
  } else {
    KeAttempt attempt = Attempt(Offer());
    attempt.tls.verify = !target_.is_insecure;
    attempt.tls.ca_file = target_.ca_file;
    attempt.verified_name = server_name();
    for (const IpAddress& address : addresses_) {
      ke_server_ = {address, target_.ke_port};
      first_ke_ = Ke(attempt);
      if (first_ke_.IsConnected()) break;
    }
    if (!first_ke_.IsConnected()) {
      return fmt::format("NTS-KE at {}: {}", ke_server_.ToString(), first_ke_.connect_problem);
    }
    if (first_ke_.turned_away) return ke_server_.ToString() + " closes every connection at once: try later";
    Octets answer = first_ke_.answer;
    // A certificate that will not do is one check's business; the others go on without it.
    if (!first_ke_.handshake_done && attempt.tls.verify) answer = Ke(Attempt(Offer())).answer;
    if (const std::string problem = FindNtpServer(KeAnswerView::Parse(answer)); !problem.empty()) return problem;
  }
  answers_plain_ = true;  // so that it is asked properly
  const NtpReply plain = Ask(Plain());
  answers_plain_ = plain.answer.has_value();
  serves_plain_ = plain.IsTime();
  if (target_.is_plain && !answers_plain_) return ntp_server_.ToString() + " does not answer NTP requests";
  return "";
}

std::string Probe::FindNtpServer(const KeAnswerView& answer) {
  ntp_server_ = {target_.is_plain ? addresses_.front() : ke_server_.address, kNtpPort};
  if (const auto ports = answer.Numbers(KeRecordType::kPort); !ports.empty()) ntp_server_.port = ports.front();
  std::string name;
  if (const KeAnswerRecord* const record = answer.Find(KeRecordType::kServer)) {
    name.assign(record->body.begin(), record->body.end());
  }
  if (target_.ntp_host) name = *target_.ntp_host;
  if (target_.ntp_port) ntp_server_.port = *target_.ntp_port;
  if (name.empty()) return "";
  const Expected<std::vector<IpAddress>, std::string> found = Resolve(name);
  // A server that names nonsense fails the checks of that record; it is looked for where NTS-KE is.
  if (!found) return target_.ntp_host ? found.error() : "";
  const auto same_family = std::find_if(found->begin(), found->end(), [&](const IpAddress& address) {
    return address.is_v4 == ntp_server_.address.is_v4;
  });
  ntp_server_.address = same_family != found->end() ? *same_family : found->front();
  return "";
}

const std::string& Probe::server_name() const { return target_.names.empty() ? target_.host : target_.names.front(); }

void Probe::Pause(Milliseconds time) const {
  if (!is_fast()) std::this_thread::sleep_for(time);
}

void Probe::PauseForDatagram() { Pause(Milliseconds(static_cast<std::int64_t>(1000 / target_.rate))); }

KeAttempt Probe::Attempt(Octets request) const {
  KeAttempt attempt;
  attempt.tls.verify = false;
  attempt.server_name = server_name();
  attempt.request = std::move(request);
  attempt.patience = is_fast() ? Milliseconds(8000) : Milliseconds(10000);
  attempt.after_answer = is_fast() ? kFastAfterAnswer : Milliseconds(2000);
  attempt.after_close = is_fast() ? kFastAfterClose : Milliseconds(2000);
  return attempt;
}

KeTranscript Probe::Ke(const KeAttempt& attempt) { return KeAt(ke_server_, attempt); }

KeTranscript Probe::KeAt(const IpEndpoint& server, const KeAttempt& attempt) {
  Pause(Milliseconds(1000));
  KeTranscript transcript = RunKeAttempt(server, attempt);
  for (const Milliseconds pause : kBusyPauses) {
    if (is_fast() || !LooksBusy(transcript)) break;
    Pause(pause);
    transcript = RunKeAttempt(server, attempt);
  }
  transcript.turned_away = !is_fast() && LooksBusy(transcript);
  if (!transcript.answer.empty()) ke_answers_.push_back(transcript.answer);
  return transcript;
}

std::vector<KeTranscript> Probe::KeTogether(const std::vector<KeAttempt>& attempts) {
  std::vector<KeTranscript> transcripts;
  if (!is_fast()) {  // guests come one by one
    for (const KeAttempt& attempt : attempts) transcripts.push_back(Ke(attempt));
    return transcripts;
  }
  std::vector<std::future<KeTranscript>> running;
  for (const KeAttempt& attempt : attempts) {
    running.push_back(std::async(std::launch::async, RunKeAttempt, ke_server_, attempt));
  }
  for (std::future<KeTranscript>& one : running) {
    transcripts.push_back(one.get());
    if (!transcripts.back().answer.empty()) ke_answers_.push_back(transcripts.back().answer);
  }
  return transcripts;
}

bool Probe::Keep(KeTranscript& transcript, Association& association) {
  const KeAnswerView answer = KeAnswerView::Parse(transcript.answer);
  if (!answer.IsGrant()) return false;
  const std::optional<AeadId> aead = AeadFromNumber(answer.Numbers(KeRecordType::kAeadAlgorithm).front());
  if (!aead) return false;
  const std::optional<AssociationKeys> keys = ExportKeys(*transcript.tls, *aead);
  if (!keys) return false;
  association.keys = *keys;
  const std::vector<Octets> cookies = answer.Cookies();
  association.cookies.assign(cookies.begin(), cookies.end());
  return true;
}

Association* Probe::Nts(AeadId aead) {
  if (target_.is_plain || refused_[aead]) return nullptr;
  Association& association = associations_[aead];
  if (!association.cookies.empty()) return &association;
  KeRequest request = Offer({AeadNumber(aead)});
  if (aead == AeadId::kAes128GcmSiv) request.Flag(false, KeRecordType::kCompliantGcmSivContext);
  KeTranscript transcript = Ke(request);
  refused_[aead] = !Keep(transcript, association) || association.keys.aead != aead;
  return refused_[aead] ? nullptr : &association;
}

NtpHeader Probe::Header() {
  NtpHeader header;
  header.poll = 6;
  header.transmit.bits = random_.NextU64() | 1;
  return header;
}

Octets Probe::Plain(std::uint8_t version) {
  testing::PacketBuilder builder;
  builder.header() = Header();
  builder.header().version = version;
  return builder.Build();
}

NtsDraft Probe::Draft(Association& association) {
  NtsDraft draft;
  draft.header = Header();
  draft.keys = association.keys;
  draft.unique_id.resize(32);
  random_.Fill(draft.unique_id);
  draft.cookie = association.cookies.front();
  if (association.cookies.size() > 1) association.cookies.pop_front();
  draft.placeholder_size = draft.cookie.size();
  draft.authenticator.nonce.resize(AeadNonceSize(association.keys.aead));
  random_.Fill(draft.authenticator.nonce);
  return draft;
}

NtpReply Probe::Ask(const NtsDraft& draft, Association& association, bool expects_silence) {
  return Ask(draft.Build(),
             {.keys = &association.keys, .association = &association, .expects_silence = expects_silence});
}

NtpReply Probe::AskForSilence(ByteView datagram) { return Ask(datagram, {.expects_silence = true}); }

NtpReply Probe::Ask(ByteView datagram, const AskOptions& options) {
  NtpReply reply;
  const int tries = is_fast() ? 1 : options.expects_silence ? 2 : 3;
  for (int i = 0; i < tries; ++i) {
    const bool came = TryOnce(datagram, options, reply);
    if (came && !is_fast() && reply.answer && reply.answer->IsKiss(KissCode::kRate)) {
      Pause(kRatePause);
      continue;
    }
    if (came) break;
  }
  Record(datagram.size(), reply, options);
  return reply;
}

bool Probe::TryOnce(ByteView datagram, const AskOptions& options, NtpReply& reply) {
  PauseForDatagram();
  reply = {};
  const IpEndpoint server = options.server.value_or(ntp_server_);
  const IpEndpoint source{options.source_address.value_or(Unspecified(server.address.is_v4)), options.source_port};
  Expected<UdpSocket, std::string> socket = UdpSocket::Open(source, options.hop_limit);
  if (!socket) {
    reply.path_is_dead = true;
    return false;
  }
  // An ordinary request behind the one in question: when it is answered first, there will be no answer to the other.
  const bool chases = is_fast() && answers_plain_ && !options.server && options.hop_limit == 0;
  const Octets chaser = Plain();
  const NtpTimestamp chaser_origin = NtpHeader::Parse(chaser)->transmit;
  reply.sent = WallClock();
  socket->Send(server, datagram);
  datagrams_sent_ += 1;
  octets_sent_ += datagram.size();
  if (chases) socket->Send(server, chaser);

  SteadyTime deadline = DeadlineIn(is_fast() ? kFastTimeout : target_.timeout);
  bool chaser_answered = false;
  // Ends: at the deadline, which only comes nearer.
  while (std::optional<ReceivedDatagram> received = socket->Receive(deadline)) {
    const std::optional<NtpHeader> header = NtpHeader::Parse(received->octets);
    if (chases && header && header->origin == chaser_origin) {
      chaser_answered = true;
      if (reply.datagram_count > 0) return true;
      deadline = std::min(deadline, DeadlineIn(kGrace));
      continue;
    }
    ++reply.datagram_count;
    ++datagrams_received_;
    octets_received_ += received->octets.size();
    if (reply.datagram_count > 1) continue;
    reply.from = received->from;
    reply.received = received->received;
    reply.answer = Dissect(std::move(received->octets));
    if (!chases) deadline = std::min(deadline, DeadlineIn(kGrace));
  }
  if (reply.datagram_count > 0) return true;
  reply.path_is_dead = !chaser_answered && answers_plain_ && !PathWorks(options);
  return false;
}

bool Probe::PathWorks(const AskOptions& options) {
  if (options.server || options.hop_limit != 0) return true;  // nothing is known about other paths
  constexpr int kTries = 3;
  for (int i = 0; i < kTries; ++i) {
    PauseForDatagram();
    Expected<UdpSocket, std::string> socket = UdpSocket::Open({Unspecified(ntp_server_.address.is_v4), 0});
    if (!socket) return false;
    socket->Send(ntp_server_, Plain());
    if (socket->Receive(DeadlineIn(is_fast() ? kFastTimeout : target_.timeout))) return true;
  }
  return false;
}

void Probe::Record(std::size_t request_size, NtpReply& reply, const AskOptions& options) {
  if (!reply.answer) return;
  if (options.keys != nullptr) Open(*reply.answer, *options.keys);
  if (options.association != nullptr) {
    for (const Octets& cookie : reply.answer->cookies) {
      if (options.association->cookies.size() < 16) options.association->cookies.push_back(cookie);
    }
  }
  seen_.push_back({request_size, *reply.answer});
}

std::vector<NtpAnswer> Probe::Burst(const std::vector<Octets>& datagrams, const AssociationKeys* keys) {
  std::vector<NtpAnswer> answers;
  Expected<UdpSocket, std::string> socket = UdpSocket::Open({Unspecified(ntp_server_.address.is_v4), 0});
  if (!socket) return answers;
  for (const Octets& datagram : datagrams) {
    socket->Send(ntp_server_, datagram);
    ++datagrams_sent_;
    octets_sent_ += datagram.size();
  }
  constexpr Milliseconds kQuiet{250};
  // Ends: nothing came for a while. There cannot be many more answers than there were questions, but who knows.
  while (answers.size() <= 2 * datagrams.size()) {
    std::optional<ReceivedDatagram> received = socket->Receive(DeadlineIn(kQuiet));
    if (!received) break;
    ++datagrams_received_;
    octets_received_ += received->octets.size();
    std::optional<NtpAnswer> answer = Dissect(std::move(received->octets));
    if (!answer) continue;
    if (keys != nullptr) Open(*answer, *keys);
    answers.push_back(*std::move(answer));
  }
  for (const NtpAnswer& answer : answers) seen_.push_back({SIZE_MAX, answer});
  return answers;
}

}  // namespace ntsd::conformance
