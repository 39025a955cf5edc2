// An NTS request before it is sealed: change any part of it, then Build().
//
// Threads: values.
#pragma once

#include <string>
#include <vector>

#include "tests/support/packet_builder.h"

namespace ntsd::conformance {

using testing::RawField;

struct NtsDraft {
  NtpHeader header;
  Octets unique_id;  // empty: no such field; the same for the cookie
  Octets cookie;
  std::size_t placeholder_count = 0;
  std::size_t placeholder_size = 0;  // of each one's body: the cookie's, unless changed
  std::uint8_t placeholder_fill = 0;
  std::vector<RawField> before;  // the authenticator, and so authenticated
  bool authenticate = true;
  testing::PacketBuilder::Authenticator authenticator;
  std::vector<RawField> after;  // the authenticator
  AssociationKeys keys;

  Octets Build() const {
    testing::PacketBuilder builder;
    builder.header() = header;
    if (!unique_id.empty()) builder.Field(0x0104, unique_id);
    if (!cookie.empty()) builder.Cookie(cookie);
    builder.Placeholders(placeholder_count, placeholder_size, placeholder_fill);
    for (const RawField& field : before) builder.Field(field);
    if (authenticate) builder.Authenticate(*SelectAead(), keys, authenticator);
    for (const RawField& field : after) builder.Field(field);
    return builder.Build();
  }
};

}  // namespace ntsd::conformance
