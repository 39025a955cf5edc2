// Room for the answers of one batch, and how each leaves: to whom, and from which of our addresses.
//
// Threads: one. Memory: allocated at construction; messages point into it until the batch is released.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "core/limits.h"
#include "server/udp/datagram.h"

namespace ntsd {

// Where a datagram came in, so that its answer can go out the same way.
struct Route {
  std::size_t socket = 0;          // index among the port's sockets
  std::optional<IpAddress> local;  // nothing: the socket's own address is the right one
  unsigned interface = 0;
};

class AnswerSlots {
 public:
  AnswerSlots() : slots_(std::make_unique<Slots>()) {}

  ByteSpan reply(std::size_t index) { return (*slots_)[index].reply; }
  Route& route(std::size_t index) { return (*slots_)[index].route; }

  // The receiver's address for an answer that needs nothing else beside it.
  std::span<const std::uint8_t> Address(std::size_t index, const IpEndpoint& receiver) {
    Slot& slot = (*slots_)[index];
    const socklen_t size = WriteSocketAddress(receiver, slot.route.interface, slot.name);
    return {reinterpret_cast<const std::uint8_t*>(&slot.name), size};
  }

  // The message that carries the first `size` octets of reply(index) to `receiver`, and asks the kernel when it leaves.
  msghdr& Message(std::size_t index, const IpEndpoint& receiver, std::size_t size, bool asks_departure) {
    Slot& slot = (*slots_)[index];
    slot.payload = {slot.reply.data(), size};
    slot.message = msghdr{};
    slot.message.msg_name = &slot.name;
    slot.message.msg_namelen = WriteSocketAddress(receiver, slot.route.interface, slot.name);
    slot.message.msg_iov = &slot.payload;
    slot.message.msg_iovlen = 1;
    std::size_t control_size = 0;
    if (slot.route.local) {
      control_size = WriteSourceControl(*slot.route.local, slot.route.interface, slot.control.data());
    }
    if (asks_departure) control_size += WriteDepartureRequest(slot.control.data() + control_size);
    if (control_size > 0) {
      slot.message.msg_control = slot.control.data();
      slot.message.msg_controllen = control_size;
    }
    return slot.message;
  }

 private:
  // An odd multiple of 64 octets apart, so that neighbours do not fall into the same cache sets.
  struct alignas(kCacheLineSize) Slot {
    std::array<std::uint8_t, kReplySizeMax> reply;
    msghdr message;
    iovec payload;
    sockaddr_storage name;
    alignas(cmsghdr) std::array<std::uint8_t, kSendControlSize> control;
    Route route;
  };
  using Slots = std::array<Slot, kBatchSizeMax>;

  std::unique_ptr<Slots> slots_;
};

}  // namespace ntsd
