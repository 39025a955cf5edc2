// What a responder's Prepare() leaves for its Finish(), for one datagram.
//
// Threads: the responder's. Memory: views into the exchange's request and reply; the keys are wiped by Finish().
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/base/bytes.h"
#include "core/base/time.h"
#include "core/ntp/header.h"
#include "core/nts/cookie.h"
#include "core/nts/header_template.h"
#include "core/nts/request.h"
#include "core/nts/responder.h"

namespace ntsd {

// What every datagram needs stands first, and its keys, which few have while they are not NTS, last.
struct alignas(kCacheLineSize) Responder::Work {
  Request request;
  bool cookie_is_open = false;
  bool is_over_limit = false;  // to be answered with RATE
  bool is_sealed = false;      // the answer carries an authenticator
  std::optional<KissCode> kiss;
  bool is_remembered = false;  // the client may ask when the answer left
  std::uint32_t transmit_noise = 0;
  NtpTimestamp receive;
  std::optional<NtpTimestamp> interleaved;  // the departure of the answer before, as transmit timestamp
  // Of the prepared answer.
  std::size_t reply_size = 0;
  std::size_t cookie_count = 0;
  // NTS answers only: where the authenticator begins, its nonce and its sealed part.
  std::size_t associated_size = 0;
  ByteView nonce;
  ByteSpan sealed;
  AssociationKeys keys;
};

inline const HeaderTemplate& Responder::TemplateFor(const Exchange& exchange) const {
  return (*headers_)[policies_[exchange.listener].smear ? 1 : 0];
}

// What a departure of that exchange is remembered with.
inline InterleavedContext Responder::ContextOf(const Exchange& exchange) const {
  return {.clock_epoch = (*headers_)[0].state.clock_epoch, .is_smeared = policies_[exchange.listener].smear};
}

}  // namespace ntsd
