#include "server/udp/departure_reader.h"

#include <sys/socket.h>

#include <algorithm>

namespace ntsd {
namespace {

// Nearly always the stamp is there when the send returns; where a queue holds the answer, it comes soon after.
constexpr unsigned kTriesMax = 16;

}  // namespace

DepartureReader::DepartureReader(std::span<const UdpSocket> sockets) : next_numbers_(sockets.size(), 0) {
  for (const UdpSocket& socket : sockets) files_.push_back(socket.fd);
}

void DepartureReader::Expect(std::size_t socket, std::uint32_t sample) {
  if (waiting_count_ == waiting_.size()) GiveUp(0);
  waiting_[waiting_count_++] = {.socket = socket, .number = next_numbers_[socket]++, .sample = sample};
}

void DepartureReader::Collect() {
  if (waiting_count_ == 0) return;
  for (std::size_t socket = 0; socket < files_.size(); ++socket) {
    const auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(waiting_count_);
    if (std::any_of(waiting_.begin(), end, [&](const Waiting& waiting) { return waiting.socket == socket; })) {
      CollectFrom(socket);
    }
  }
  for (std::size_t i = waiting_count_; i-- > 0;) {
    if (++waiting_[i].tries > kTriesMax) GiveUp(i);
  }
}

void DepartureReader::CollectFrom(std::size_t socket) {
  // Ends: each turn takes a message off the queue, and only our own sends put some there.
  for (std::size_t i = 0; i < 2 * kDepartureSamplesPending && ReadOne(socket); ++i) {
  }
}

// False when the queue is empty.
bool DepartureReader::ReadOne(std::size_t socket) {
  alignas(cmsghdr) std::array<std::uint8_t, kDepartureControlSize> control;
  msghdr message{};
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  if (recvmsg(files_[socket], &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return false;
  if (const auto departure = ReadDeparture(message)) Settle(socket, *departure);
  return true;
}

void DepartureReader::Settle(std::size_t socket, const KernelDeparture& departure) {
  for (std::size_t i = 0; i < waiting_count_; ++i) {
    if (waiting_[i].socket != socket || waiting_[i].number != departure.number) continue;
    if (is_taken_) collected_count_ = 0;
    is_taken_ = false;
    if (collected_count_ < collected_.size()) {
      collected_[collected_count_++] = {.sample = waiting_[i].sample, .left = departure.left};
    }
    waiting_[i] = waiting_[--waiting_count_];
    return;
  }
  next_numbers_[socket] = departure.number + 1;
  for (std::size_t i = waiting_count_; i-- > 0;) {
    if (waiting_[i].socket == socket) GiveUp(i);
  }
}

void DepartureReader::GiveUp(std::size_t index) {
  waiting_[index] = waiting_[--waiting_count_];
  ++missing_;
}

std::span<const Departure> DepartureReader::Take() {
  if (is_taken_) collected_count_ = 0;
  is_taken_ = true;
  return std::span(collected_).first(collected_count_);
}

}  // namespace ntsd
