// Makes requests in batches: written one by one, sealed together.
//
// Threads: belongs to one thread. Memory: room for one batch, allocated once.
// Errors: a client without a cookie gives no request; a request that cannot fit is found when the first is built.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "bench/load/client.h"
#include "bench/load/flight_table.h"
#include "core/base/random.h"
#include "core/crypto/aead.h"
#include "core/limits.h"

namespace ntsd::load {

// What requests of a run look like.
struct RequestShape {
  std::uint8_t version = 4;
  bool is_nts = true;
  bool is_interleaved = false;
  bool spends_cookies = false;              // each cookie once, as a true client does; otherwise they are used again
  std::optional<std::size_t> placeholders;  // nothing: as many as are missing from eight
};

class RequestBuilder {
 public:
  RequestBuilder(const RequestShape& shape, const FlightTable& flights, const Aead& aead, Random& random);

  // Writes a request for `flight`, whose unique id, size and origin of the cookie are set. False: no cookie is left, or
  // the request would be longer than kRequestSizeMax.
  bool Add(RequestKind kind, Client& client, Flight& flight);
  // Seals what was added since Clear().
  void Seal();
  // The requests in the order of Add(), valid until Clear().
  std::span<const ByteView> datagrams() const { return std::span(datagrams_).first(count_); }
  bool IsFull() const { return count_ == kBatchSizeMax; }
  void Clear();

 private:
  void WriteHeader(const Client& client, const Flight& flight, ByteWriter& writer) const;
  bool WriteFields(RequestKind kind, Client& client, Flight& flight, ByteWriter& writer);
  void WriteGarbage(ByteWriter& writer);

  RequestShape shape_;
  const FlightTable& flights_;
  const Aead& aead_;
  Random& random_;
  std::vector<std::array<std::uint8_t, kRequestSizeMax>> buffers_;
  std::array<ByteView, kBatchSizeMax> datagrams_;
  std::size_t count_ = 0;
  std::array<SealJob, kBatchSizeMax> jobs_;
  std::size_t job_count_ = 0;
};

}  // namespace ntsd::load
