// An NTS-KE front end on loopback for tests, and a client whose every octet the test decides.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/crypto/aead.h"
#include "core/keys/key_ring.h"
#include "core/nts/cookie.h"
#include "ke/client.h"
#include "ke/server.h"
#include "server/system_clock.h"
#include "tests/support/certificates.h"

namespace ntsd::testing {

// A listening TCP socket on a loopback address, its port chosen by the kernel.
int ListenOnLoopback(bool v6 = false);
std::uint16_t PortOf(int fd);

// A ring of one key that is the same in every test.
std::shared_ptr<const KeySet> MakeTestKeys();

class FrontEnd {
 public:
  struct Options {
    ke::Settings settings;
    ke::ServerOptions server;
    std::vector<LeafOptions> leaves{LeafOptions{}};
    bool v6 = false;
    std::optional<int> send_buffer;
  };
  FrontEnd() : FrontEnd(Options()) {}
  explicit FrontEnd(Options options);

  std::uint16_t port() const { return port_; }
  const std::string& address() const { return address_; }
  CertificateAuthority& authority() { return authority_; }
  ke::Server& server() { return *server_; }
  KeyRing& ring() { return ring_; }

  // A query by the real client: checks the certificate for the name localhost.
  ke::QueryOptions Query() const;

  std::uint64_t Count(ke::ConnectionEnd end) { return server_->Read().ends[static_cast<std::size_t>(end)]; }
  // Waits until as many connections have ended in this way; false when they have not within five seconds.
  bool WaitForCount(ke::ConnectionEnd end, std::uint64_t count = 1);
  // Waits until no connection is open.
  bool WaitUntilIdle();

 private:
  CertificateAuthority authority_;
  SystemClock clock_;
  KeyRing ring_;
  std::string address_;
  std::uint16_t port_ = 0;
  std::unique_ptr<ke::Server> server_;
};

// Asks again and again, for at most five seconds.
template <typename Condition>
bool Eventually(Condition condition) {
  for (int i = 0; i < 1000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return condition();
}

struct RawClientOptions {
  ke::TlsClientContext::Options tls;  // verifies only when it names a file of authorities
  std::string server_name = "localhost";
  std::optional<int> receive_buffer;
};

// A TLS client over a blocking socket.
class RawClient {
 public:
  using Options = RawClientOptions;

  explicit RawClient(const FrontEnd& front_end) : RawClient(front_end, Options()) {}
  RawClient(const FrontEnd& front_end, Options options);
  RawClient(const FrontEnd& front_end, std::shared_ptr<const ke::TlsClientContext> context,
            const Options& options = Options());
  ~RawClient();
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  // Plain octets, past TLS.
  bool SendRaw(ByteView octets);
  // True: the handshake is complete, on our side.
  bool Handshake();
  // Encrypts in one TLS record and sends; in pieces of `piece_size` octets of TCP if that is not zero.
  bool Send(ByteView octets, std::size_t piece_size = 0);
  // close_notify.
  bool SendCloseNotify();
  // Closes our direction of TCP (FIN).
  void HalfClose();
  // Closes with a reset.
  void Reset();
  // Reads until the server closes, or `patience` is over. Then the members below say what came.
  std::string ReadAll(std::chrono::milliseconds patience = std::chrono::seconds(5));
  // Reads until `size` octets of answer are there; the server may say more.
  std::string ReadSome(std::size_t size);

  ke::TlsSession& tls() { return *tls_; }
  int fd() const { return fd_; }
  bool saw_close_notify = false;
  bool saw_fin = false;                // the server closed in order
  bool saw_reset = false;              // … or not
  std::size_t record_count = 0;        // TLS records with octets of the answer
  std::vector<std::uint8_t> received;  // everything, encrypted
  ke::TlsFailure failure = ke::TlsFailure::kNone;
  std::string detail;

 private:
  bool Flush(std::size_t piece_size = 0);
  bool Receive(std::chrono::steady_clock::time_point deadline);
  void Note(const ke::TlsSession::ReadResult& result, std::string& text);

  int fd_ = -1;
  std::shared_ptr<const ke::TlsClientContext> context_;
  std::unique_ptr<ke::TlsSession> tls_;
  std::vector<std::uint8_t> buffer_;
};

}  // namespace ntsd::testing
