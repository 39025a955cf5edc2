// What the server and its workers share.
//
// Threads: each member says.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "core/base/clock.h"
#include "core/crypto/aead.h"
#include "core/keys/key_ring.h"
#include "ke/occupancy.h"
#include "ke/settings.h"
#include "ke/tls_context.h"

namespace ntsd::ke {

// What may change while the server runs; replaced as a whole, never changed.
struct ServiceState {
  std::shared_ptr<const TlsContext> tls;
  KePolicy policy;
};

// What all workers share. The server fills it before it starts them.
struct Shared {
  Shared(ServerOptions options_in, std::vector<Settings> settings_in, std::vector<Listener> listeners_in,
         KeyRing& keys_in, const Aead& aead_in, const Clock& clock_in, Random& random)
      : options(std::move(options_in)),
        settings(std::move(settings_in)),
        listeners(std::move(listeners_in)),
        keys(keys_in),
        aead(aead_in),
        clock(clock_in),
        occupancy(settings, options.prefixes, random),
        states(settings.size()) {}

  // Never change after construction.
  const ServerOptions options;
  const std::vector<Settings> settings;
  const std::vector<Listener> listeners;
  KeyRing& keys;
  const Aead& aead;
  const Clock& clock;

  Occupancy occupancy;

  // The services' state. A worker looks at `generation` once a turn and takes the lock only when it has moved, so a
  // late worker uses the former certificates for one turn more.
  std::mutex mutex;
  std::vector<std::shared_ptr<const ServiceState>> states;  // by service; under `mutex`
  std::atomic<std::uint64_t> generation{1};

  // Workers that still accept; the last one to stop closes the listeners.
  std::atomic<std::size_t> listening_workers{0};
  std::atomic<std::size_t> running_workers{0};
  // Set once, in this order; each is followed by a Wake(), whose write the workers' read synchronises with.
  std::atomic<bool> draining{false};
  std::atomic<bool> stopping{false};
};

}  // namespace ntsd::ke
