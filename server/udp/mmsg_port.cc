#include "server/udp/mmsg_port.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

#include "core/base/check.h"
#include "core/limits.h"
#include "server/udp/answer_slots.h"
#include "server/udp/datagram.h"
#include "server/udp/departure_reader.h"
#include "server/udp/wake_event.h"

namespace ntsd {
namespace {

// One datagram on its way in.
struct Incoming {
  // One word more than a request may have, so that longer ones are seen to be longer.
  std::array<std::uint8_t, kRequestSizeMax + 4> payload;
  iovec vector;
  sockaddr_in6 name;
  alignas(cmsghdr) std::array<std::uint8_t, kReceiveControlSize> control;
};

class MmsgPort final : public UdpPort {
 public:
  MmsgPort(std::vector<UdpSocket> sockets, const Clock& clock, const CardClocks* cards)
      : UdpPort(clock, cards),
        sockets_(std::move(sockets)),
        incoming_(kBatchSizeMax),
        messages_(kBatchSizeMax),
        departures_(sockets_) {
    for (const UdpSocket& socket : sockets_) polled_.push_back({.fd = socket.fd, .events = POLLIN, .revents = 0});
    polled_.push_back({.fd = wake_.fd(), .events = POLLIN, .revents = 0});
  }

  std::string Begin() override { return {}; }
  std::span<Exchange> Receive(bool may_wait) override;
  void Send(std::span<Exchange> group) override;
  void Release() override { batch_size_ = 0; }
  std::span<const Departure> Departures() override;
  void Wake() override { wake_.Set(); }

 private:
  void Wait();
  void Sweep();
  void TakeFrom(std::size_t socket);
  void TakeDatagram(msghdr& message, std::size_t size, std::size_t slot, std::size_t socket);

  const std::vector<UdpSocket> sockets_;
  WakeEvent wake_;
  std::vector<pollfd> polled_;  // the sockets, then the wake event
  std::vector<Incoming> incoming_;
  std::vector<mmsghdr> messages_;
  std::size_t first_socket_ = 0;  // where the next sweep begins, so that no socket starves another

  AnswerSlots slots_;
  DepartureReader departures_;
  std::array<Exchange, kBatchSizeMax> batch_{};
  std::size_t batch_size_ = 0;
  std::size_t incoming_used_ = 0;
};

std::span<Exchange> MmsgPort::Receive(bool may_wait) {
  CHECK(batch_size_ == 0);
  // Ends: with a datagram, with a wake-up, or at once when it may not wait.
  while (true) {
    Sweep();
    if (batch_size_ > 0 || !may_wait || wake_.Clear()) break;
    Wait();
  }
  return std::span(batch_).first(batch_size_);
}

// A departure that is told late would wake us again and again, until it is taken.
void MmsgPort::Wait() {
  poll(polled_.data(), polled_.size(), -1);
  for (std::size_t i = 0; i < sockets_.size(); ++i) {
    if ((polled_[i].revents & POLLERR) != 0) departures_.CollectFrom(i);
  }
}

std::span<const Departure> MmsgPort::Departures() {
  departures_.Collect();
  Count(PortEvent::kDepartureMissing, departures_.TakeMissing());
  return departures_.Take();
}

void MmsgPort::Sweep() {
  incoming_used_ = 0;
  for (std::size_t i = 0; i < sockets_.size(); ++i) TakeFrom((first_socket_ + i) % sockets_.size());
  first_socket_ = (first_socket_ + 1) % sockets_.size();
}

void MmsgPort::TakeFrom(std::size_t socket) {
  const std::size_t first = incoming_used_;
  const std::size_t room = kBatchSizeMax - first;
  if (room == 0) return;
  for (std::size_t i = first; i < kBatchSizeMax; ++i) {
    Incoming& incoming = incoming_[i];
    incoming.vector = {incoming.payload.data(), incoming.payload.size()};
    messages_[i] = {};
    messages_[i].msg_hdr.msg_name = &incoming.name;
    messages_[i].msg_hdr.msg_namelen = sizeof(incoming.name);
    messages_[i].msg_hdr.msg_iov = &incoming.vector;
    messages_[i].msg_hdr.msg_iovlen = 1;
    messages_[i].msg_hdr.msg_control = incoming.control.data();
    messages_[i].msg_hdr.msg_controllen = incoming.control.size();
  }
  const int count =
      recvmmsg(sockets_[socket].fd, &messages_[first], static_cast<unsigned>(room), MSG_DONTWAIT, nullptr);
  if (count < 0) {
    if (errno != EAGAIN && errno != EINTR) Count(PortEvent::kReceiveFailed);
    return;
  }
  incoming_used_ += static_cast<std::size_t>(count);
  for (std::size_t i = first; i < incoming_used_; ++i)
    TakeDatagram(messages_[i].msg_hdr, messages_[i].msg_len, i, socket);
}

void MmsgPort::TakeDatagram(msghdr& message, std::size_t size, std::size_t slot, std::size_t socket) {
  Count(PortEvent::kReceived);
  const auto sender = ReadSocketAddress(message.msg_name, message.msg_namelen);
  if (!sender) {
    Count(PortEvent::kSenderUnknown);
    return;
  }
  const Arrival arrival = ReadArrival(message);
  batch_[batch_size_] = {.request = ByteSpan(incoming_[slot].payload).first(size),
                         .reply = slots_.reply(batch_size_),
                         .source = *sender,
                         .to_unicast = arrival.to_unicast,
                         .received = StampOf(arrival),
                         .listener = sockets_[socket].listener};
  slots_.route(batch_size_) = {.socket = socket, .local = arrival.local, .interface = arrival.interface};
  ++batch_size_;
}

void MmsgPort::Send(std::span<Exchange> group) {
  for (const Exchange& exchange : group) {
    if (exchange.reply_size == 0) continue;
    const auto index = static_cast<std::size_t>(&exchange - batch_.data());
    const std::size_t socket = slots_.route(index).socket;
    const bool asks_departure = exchange.sample != 0;
    const msghdr& message = slots_.Message(index, exchange.source, exchange.reply_size, asks_departure);
    const ssize_t sent = sendmsg(sockets_[socket].fd, &message, MSG_DONTWAIT);
    Count(sent < 0 ? PortEvent::kSendFailed : PortEvent::kSent);
    if (asks_departure && sent >= 0) departures_.Expect(socket, exchange.sample);
  }
}

}  // namespace

std::unique_ptr<UdpPort> MakeMmsgPort(std::vector<UdpSocket> sockets, const Clock& clock, const CardClocks* cards) {
  return std::make_unique<MmsgPort>(std::move(sockets), clock, cards);
}

}  // namespace ntsd
