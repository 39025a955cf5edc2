// One client of the server under load: its keys, its cookies, and what interleaved mode has it remember.
//
// Threads: belongs to one thread. Memory: eight cookies, inside.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "core/base/bytes.h"
#include "core/base/time.h"
#include "core/limits.h"
#include "core/nts/cookie.h"

namespace ntsd::load {

// Of any server; chrony's client takes no longer ones either.
inline constexpr std::size_t kForeignCookieSizeMax = 256;

// Up to eight cookies, all of one size, the oldest first.
class CookieJar {
 public:
  struct Cookie {
    std::array<std::uint8_t, kForeignCookieSizeMax> octets;
    std::uint16_t size = 0;
    bool from_answer = false;
    ByteView view() const { return ByteView(octets).first(size); }
  };

  std::size_t count() const { return count_; }

  // Into an empty place, else instead of the oldest. Cookies that are too long for us are not taken.
  void Add(ByteView octets, bool from_answer) {
    if (octets.empty() || octets.size() > kForeignCookieSizeMax) return;
    if (count_ == cookies_.size()) {
      first_ = (first_ + 1) % cookies_.size();
      --count_;
    }
    Cookie& cookie = cookies_[(first_ + count_++) % cookies_.size()];
    std::copy(octets.begin(), octets.end(), cookie.octets.begin());
    cookie.size = static_cast<std::uint16_t>(octets.size());
    cookie.from_answer = from_answer;
  }
  // The oldest; nullptr when there is none. Valid until the next Add().
  const Cookie* Spend() {
    if (count_ == 0) return nullptr;
    const Cookie& cookie = cookies_[first_];
    first_ = (first_ + 1) % cookies_.size();
    --count_;
    return &cookie;
  }
  // One after the other, and none is spent; nullptr when there is none.
  const Cookie* Reuse() {
    if (count_ == 0) return nullptr;
    const Cookie& cookie = cookies_[(first_ + next_++ % count_) % cookies_.size()];
    return &cookie;
  }

 private:
  std::array<Cookie, kCookiesPerReplyMax> cookies_;
  std::size_t first_ = 0;
  std::size_t count_ = 0;
  std::size_t next_ = 0;  // of Reuse()
};

struct Client {
  AssociationKeys keys;
  CookieJar cookies;
  // Of the last answer: the server's receive timestamp, by which it finds its transmit timestamp again (RFC 9769).
  NtpTimestamp server_receive;
};

}  // namespace ntsd::load
