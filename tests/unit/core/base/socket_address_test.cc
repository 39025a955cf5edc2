#include "core/base/socket_address.h"

#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cstring>

namespace ntsd {
namespace {

TEST(SocketAddress, GoesThereAndBack) {
  for (const char* text : {"192.0.2.1:123", "[2001:db8::1]:40000", "[fe80::1]:123"}) {
    const IpEndpoint endpoint = *IpEndpoint::Parse(text);
    const SocketAddress address(endpoint);
    EXPECT_EQ(ReadSocketAddress(address.get(), address.size()), endpoint) << text;
    for (socklen_t shorter = 0; shorter < address.size(); ++shorter) {
      EXPECT_FALSE(ReadSocketAddress(address.get(), shorter)) << text << " " << shorter;
    }
  }
}

TEST(SocketAddress, OfAnotherFamilyIsNoEndpoint) {
  sockaddr_storage unknown{};
  unknown.ss_family = AF_UNIX;
  EXPECT_FALSE(ReadSocketAddress(&unknown, sizeof(unknown)));
}

TEST(SocketAddress, OnlyALinkLocalOneHasAScope) {
  for (const auto& [text, scope] : {std::pair("[fe80::1]:123", 5U), std::pair("[2001:db8::1]:123", 0U)}) {
    sockaddr_storage storage{};
    ASSERT_EQ(WriteSocketAddress(*IpEndpoint::Parse(text), 5, storage), sizeof(sockaddr_in6));
    sockaddr_in6 v6;
    std::memcpy(&v6, &storage, sizeof(v6));
    EXPECT_EQ(v6.sin6_scope_id, scope) << text;
  }
}

}  // namespace
}  // namespace ntsd
