// The NTS-KE front end: threads that turn TLS connections into keys and cookies (RFC 8915 §4).
//
// Threads: made, started and drained by one thread; Use() and Read() by any thread. The workers are its own.
// Memory: the workers' tables are allocated at construction: about 300 octets a connection and worker.
// Errors: whatever can fail is checked before: the sockets listen and the certificates are loaded when it is made.
#pragma once

#include <memory>
#include <thread>
#include <vector>

#include "core/base/clock.h"
#include "core/crypto/aead.h"
#include "core/keys/key_ring.h"
#include "ke/settings.h"
#include "ke/snapshot.h"
#include "ke/tls_context.h"

namespace ntsd::ke {

struct Shared;
class Worker;

class Server {
 public:
  // `services` and their `contexts` in the same order; `listeners` name services by index, and their sockets are taken
  // over. Everything referred to outlives the server.
  Server(ServerOptions options, std::vector<Settings> services, std::vector<std::shared_ptr<const TlsContext>> contexts,
         std::vector<Listener> listeners, KeyRing& keys, const Aead& aead, const Clock& clock);
  // Stops at once what still runs.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  void Start();
  // Accepts nothing more, finishes what has begun, and returns when all is done or `patience` is over: then the rest is
  // cut off and counted as kShutdown. Returns how many were cut off.
  std::size_t Drain(Duration patience);

  // New connections of a service get these certificates from now on; those that have begun keep theirs.
  void Use(std::size_t service, std::shared_ptr<const TlsContext> context);
  // New requests are answered by this policy, on connections that have begun as well. Names of the certificates are
  // added to the known servers.
  void Use(std::size_t service, KePolicy policy);
  std::shared_ptr<const TlsContext> Context(std::size_t service) const;

  Snapshot Read() const;

 private:
  // Under Shared::mutex.
  void Publish(std::size_t service, std::shared_ptr<const TlsContext> context);

  std::unique_ptr<Shared> shared_;
  std::vector<KePolicy> policies_;  // as configured; under Shared::mutex
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::thread> threads_;
};

}  // namespace ntsd::ke
