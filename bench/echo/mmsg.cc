#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <vector>

#include "bench/echo/echo.h"

namespace ntsd::echo {
namespace {

struct Slot {
  std::array<std::uint8_t, kDatagramSizeMax> payload;
  iovec vector;
  sockaddr_storage name;
  alignas(cmsghdr) std::array<std::uint8_t, kControlSize> control;
};

// Makes a message ready to be received into.
void Prepare(Slot& slot, const Options& options, msghdr& message) {
  slot.vector = {slot.payload.data(), slot.payload.size()};
  const bool wants_control = options.receive_stamps || options.packet_info;
  message = {};
  message.msg_name = &slot.name;
  message.msg_namelen = sizeof(slot.name);
  message.msg_iov = &slot.vector;
  message.msg_iovlen = 1;
  message.msg_control = wants_control ? slot.control.data() : nullptr;
  message.msg_controllen = wants_control ? slot.control.size() : 0;
}

// The answer has the size of the request.
void Answer(Slot& slot, const Options& options, std::size_t size, msghdr& message) {
  slot.vector.iov_len = size;
  message.msg_flags = 0;
  TurnAround(message, options);
}

void SendOne(int fd, const msghdr& message, Totals& totals) {
  const ssize_t sent = message.msg_control != nullptr
                           ? sendmsg(fd, &message, 0)
                           : sendto(fd, message.msg_iov->iov_base, message.msg_iov->iov_len, 0,
                                    static_cast<const sockaddr*>(message.msg_name), message.msg_namelen);
  ++(sent >= 0 ? totals.sent : totals.send_failed);
}

void SendTogether(int fd, mmsghdr* messages, std::size_t count, Totals& totals) {
  // Ends: every turn sends one at least, or gives one up.
  for (std::size_t done = 0; done < count;) {
    const int sent = sendmmsg(fd, messages + done, static_cast<unsigned>(count - done), 0);
    if (sent <= 0) ++totals.send_failed;
    totals.sent += static_cast<std::size_t>(std::max(sent, 0));
    done += static_cast<std::size_t>(std::max(sent, 1));
  }
}

}  // namespace

Totals RunBlocking(int fd, const Options& options, const volatile std::sig_atomic_t& stop) {
  Totals totals;
  const auto slot = std::make_unique<Slot>();
  msghdr message;
  while (stop == 0) {
    Prepare(*slot, options, message);
    const ssize_t size = recvmsg(fd, &message, 0);
    if (size < 0) continue;  // a signal, or an error of an earlier send
    ++totals.received;
    Answer(*slot, options, static_cast<std::size_t>(size), message);
    SendOne(fd, message, totals);
  }
  return totals;
}

Totals RunMmsg(int fd, const Options& options, const volatile std::sig_atomic_t& stop) {
  Totals totals;
  std::vector<Slot> slots(options.batch);
  std::vector<mmsghdr> messages(options.batch);
  for (std::size_t i = 0; i < slots.size(); ++i) Prepare(slots[i], options, messages[i].msg_hdr);
  while (stop == 0) {
    const int count = recvmmsg(fd, messages.data(), static_cast<unsigned>(messages.size()), MSG_WAITFORONE, nullptr);
    if (count <= 0) continue;
    const auto batch = static_cast<std::size_t>(count);
    totals.received += batch;
    for (std::size_t i = 0; i < batch; ++i) {
      Answer(slots[i], options, messages[i].msg_len, messages[i].msg_hdr);
      if (options.engine == Engine::kRecvmmsgSend) SendOne(fd, messages[i].msg_hdr, totals);
    }
    if (options.engine == Engine::kRecvmmsgSendmmsg) SendTogether(fd, messages.data(), batch, totals);
    for (std::size_t i = 0; i < batch; ++i) Prepare(slots[i], options, messages[i].msg_hdr);
  }
  return totals;
}

}  // namespace ntsd::echo
