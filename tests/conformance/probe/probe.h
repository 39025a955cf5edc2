// What a check works with: connections, datagrams, cookies and keys, at a pace that the server can bear.
//
// Threads: belongs to one thread. KeTogether() uses others and waits for them.
// Errors: silence, refusals and nonsense are results; only Start() can fail.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/crypto/fast_random.h"
#include "tests/conformance/probe/ke_answer.h"
#include "tests/conformance/probe/ke_attempt.h"
#include "tests/conformance/probe/ntp_answer.h"
#include "tests/conformance/probe/nts_draft.h"
#include "tests/conformance/probe/socket.h"

namespace ntsd::conformance {

struct Target {
  std::string host;
  std::vector<IpAddress> addresses;  // instead of what the host's name resolves to
  std::uint16_t ke_port = 4460;
  std::optional<std::string> ntp_host;  // instead of what NTS-KE says
  std::optional<std::uint16_t> ntp_port;
  std::vector<std::string> names;  // names that the server must have certificates for; the first is for SNI
  std::string ca_file;
  bool is_insecure = false;
  bool is_plain = false;  // no NTS at all
  std::string pool_token;
  bool is_fast = false;  // a server of our own: no pauses, and floods are allowed
  double rate = 2;       // datagrams a second, when not fast
  Milliseconds timeout{1000};
  Milliseconds ke_patience{12000};  // how long a server may take to give up on a silent client
};

// What came of one datagram.
struct NtpReply {
  std::optional<NtpAnswer> answer;  // the first that came
  IpEndpoint from;
  UnixTime sent{};
  UnixTime received{};
  std::size_t datagram_count = 0;  // that came, in all
  // Nothing came, and not even an ordinary request is answered now: the silence proves nothing.
  bool path_is_dead = false;

  bool IsSilence() const { return datagram_count == 0 && !path_is_dead; }
  // An ordinary answer, of a server that has no time as well: whether it is synchronised is not what most checks ask.
  bool IsTime() const { return answer && answer->header.mode == NtpMode::kServer && !answer->IsRefusal(); }
  bool IsAuthenticTime() const { return IsTime() && answer->is_authentic; }
  bool IsNak() const { return answer && answer->IsKiss(KissCode::kNtsn); }
};
std::string Describe(const NtpReply& reply);

struct Association {
  AssociationKeys keys;
  std::deque<Octets> cookies;
};

// A datagram that was sent and one that came for it, for checks that look at everything.
struct SeenAnswer {
  std::size_t request_size = 0;
  NtpAnswer answer;
};

struct AskOptions {
  const AssociationKeys* keys = nullptr;  // opens the answer with these
  Association* association = nullptr;     // and gives its cookies to this one
  bool expects_silence = false;
  std::optional<IpEndpoint> server;         // another than the target's
  std::optional<IpAddress> source_address;  // our own address
  std::uint16_t source_port = 0;
  int hop_limit = 0;  // 0: the system's
};

class Probe {
 public:
  explicit Probe(Target target) : target_(std::move(target)) {}

  // Finds the server. An empty text, or why no check can run.
  std::string Start();

  const Target& target() const { return target_; }
  bool is_fast() const { return target_.is_fast; }
  const std::vector<IpAddress>& addresses() const { return addresses_; }
  const IpEndpoint& ke_server() const { return ke_server_; }
  const IpEndpoint& ntp_server() const { return ntp_server_; }
  // The first exchange: with the certificate verified unless --insecure.
  const KeTranscript& first_ke() const { return first_ke_; }
  const std::string& server_name() const;
  // Ordinary requests without NTS get the time here.
  bool serves_plain() const { return serves_plain_; }
  FastRandom& random() { return random_; }

  // NTS-KE. An attempt begins as an ordinary one: NTPv4, AEAD 15, any certificate.
  KeAttempt Attempt(Octets request) const;
  KeAttempt Attempt(const KeRequest& request) const { return Attempt(request.End()); }
  KeTranscript Ke(const KeAttempt& attempt);
  KeTranscript Ke(const KeRequest& request) { return Ke(Attempt(request)); }
  KeTranscript KeAt(const IpEndpoint& server, const KeAttempt& attempt);
  // All at once with --fast, else one after the other.
  std::vector<KeTranscript> KeTogether(const std::vector<KeAttempt>& attempts);

  // Cookies and keys for an AEAD; nullptr when the server does not grant it.
  Association* Nts(AeadId aead = AeadId::kAesSivCmac256);
  // Keeps what an exchange has brought as an association of its own; false when it was no grant.
  bool Keep(KeTranscript& transcript, Association& association);

  // NTP.
  NtpHeader Header();  // of an ordinary request, its transmit timestamp random
  Octets Plain(std::uint8_t version = 4);
  // A complete NTS request that spends a cookie; the last one of an association is used again and again.
  NtsDraft Draft(Association& association);
  NtpReply Ask(ByteView datagram, const AskOptions& options = {});
  NtpReply AskForSilence(ByteView datagram);
  NtpReply Ask(const NtsDraft& draft, Association& association, bool expects_silence = false);
  // False when ordinary requests were answered at the start, and no longer are.
  bool StillAnswers() { return !answers_plain_ || PathWorks({}); }
  // Sends all at once from one socket, and takes what comes until nothing more does.
  std::vector<NtpAnswer> Burst(const std::vector<Octets>& datagrams, const AssociationKeys* keys = nullptr);

  // Everything that has come so far.
  const std::vector<SeenAnswer>& seen() const { return seen_; }
  const std::vector<Octets>& ke_answers() const { return ke_answers_; }
  std::size_t octets_sent() const { return octets_sent_; }
  std::size_t octets_received() const { return octets_received_; }
  std::size_t datagrams_sent() const { return datagrams_sent_; }
  std::size_t datagrams_received() const { return datagrams_received_; }

  // Sleeps when the server is somebody else's.
  void Pause(Milliseconds time) const;

 private:
  std::string FindNtpServer(const KeAnswerView& answer);
  bool TryOnce(ByteView datagram, const AskOptions& options, NtpReply& reply);
  bool PathWorks(const AskOptions& options);
  void Record(std::size_t request_size, NtpReply& reply, const AskOptions& options);
  void PauseForDatagram();

  Target target_;
  std::vector<IpAddress> addresses_;
  IpEndpoint ke_server_;
  IpEndpoint ntp_server_;
  KeTranscript first_ke_;
  bool answers_plain_ = false;  // with anything: it tells silence from loss
  bool serves_plain_ = false;
  FastRandom random_;
  std::map<AeadId, Association> associations_;
  std::map<AeadId, bool> refused_;
  std::vector<SeenAnswer> seen_;
  std::vector<Octets> ke_answers_;
  std::size_t octets_sent_ = 0, octets_received_ = 0, datagrams_sent_ = 0, datagrams_received_ = 0;
};

}  // namespace ntsd::conformance
