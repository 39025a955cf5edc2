#include "bench/load/udp_channel.h"

#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "core/base/socket_address.h"
#include "core/limits.h"

namespace ntsd::load {
namespace {

constexpr int kBufferSize = 4 << 20;
// One word more than an answer may have.
constexpr std::size_t kAnswerSizeMax = kRequestSizeMax + 4;
// What UDP segmentation takes in one call: the length field of the whole is 16 bits.
constexpr std::size_t kSegmentedSizeMax = 65'000;
constexpr std::size_t kControlSize = 128;

bool SetOption(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

std::optional<UnixTime> ReadStamp(msghdr& message, std::optional<std::uint32_t>* number = nullptr) {
  std::optional<UnixTime> stamp;
  for (cmsghdr* control = CMSG_FIRSTHDR(&message); control != nullptr; control = CMSG_NXTHDR(&message, control)) {
    if (control->cmsg_level == SOL_SOCKET && control->cmsg_type == SO_TIMESTAMPING) {
      scm_timestamping stamps{};
      std::memcpy(&stamps, CMSG_DATA(control), sizeof(stamps));
      stamp = UnixTime(std::chrono::seconds(stamps.ts[0].tv_sec) + std::chrono::nanoseconds(stamps.ts[0].tv_nsec));
    } else if (number != nullptr && ((control->cmsg_level == SOL_IP && control->cmsg_type == IP_RECVERR) ||
                                     (control->cmsg_level == SOL_IPV6 && control->cmsg_type == IPV6_RECVERR))) {
      sock_extended_err error{};
      std::memcpy(&error, CMSG_DATA(control), sizeof(error));
      if (error.ee_errno == ENOMSG && error.ee_origin == SO_EE_ORIGIN_TIMESTAMPING) *number = error.ee_data;
    }
  }
  return stamp;
}

// Tells the kernel to cut the message into datagrams of `size` octets.
void SetSegmentSize(msghdr& message, std::span<std::uint8_t> control, std::size_t size) {
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_UDP;
  header->cmsg_type = UDP_SEGMENT;
  header->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
  const auto segment = static_cast<std::uint16_t>(size);
  std::memcpy(CMSG_DATA(header), &segment, sizeof(segment));
}

}  // namespace

struct UdpChannel::Buffers {
  struct Slot {
    std::array<std::uint8_t, kAnswerSizeMax> octets;
    iovec vector;
    alignas(cmsghdr) std::array<std::uint8_t, kControlSize> control;
  };
  std::array<Slot, kBatchSizeMax> slots;
  std::array<mmsghdr, kBatchSizeMax> messages;
  std::array<Arrival, kBatchSizeMax> arrivals;
  // Of sending.
  std::array<iovec, kBatchSizeMax> vectors;
  std::array<mmsghdr, kBatchSizeMax> outgoing;
  struct SegmentSize {
    alignas(cmsghdr) std::array<std::uint8_t, CMSG_SPACE(sizeof(std::uint16_t))> control;
  };
  std::array<SegmentSize, kBatchSizeMax> segment_sizes;
};

UdpChannel::UdpChannel() : buffers_(std::make_unique<Buffers>()) {
  for (std::size_t i = 0; i < kBatchSizeMax; ++i) {
    Buffers::Slot& slot = buffers_->slots[i];
    slot.vector = {slot.octets.data(), slot.octets.size()};
    buffers_->messages[i].msg_hdr = {};
    buffers_->messages[i].msg_hdr.msg_iov = &slot.vector;
    buffers_->messages[i].msg_hdr.msg_iovlen = 1;
  }
}

UdpChannel::~UdpChannel() {
  for (const int fd : sockets_) close(fd);
  if (epoll_ >= 0) close(epoll_);
}

Expected<std::unique_ptr<UdpChannel>, std::string> UdpChannel::Open(const UdpChannelOptions& options) {
  std::unique_ptr<UdpChannel> channel(new UdpChannel());
  channel->segments_ = std::clamp<std::size_t>(options.segments, 1, kBatchSizeMax);
  channel->plain_count_ = options.socket_count;
  channel->epoll_ = epoll_create1(EPOLL_CLOEXEC);
  if (channel->epoll_ < 0) return Unexpected(std::string("epoll: ") + std::strerror(errno));
  const std::size_t count = options.socket_count + (options.has_stamps ? 1 : 0);
  for (std::size_t i = 0; i < count; ++i) {
    std::string problem = channel->Add(options, i, i == options.socket_count);
    if (!problem.empty()) return Unexpected(std::move(problem));
  }
  return channel;
}

// An empty text: done.
std::string UdpChannel::Add(const UdpChannelOptions& options, std::size_t index, bool with_stamps) {
  const auto fail = [&](const std::string& what) { return what + ": " + std::strerror(errno); };
  const int fd =
      socket(options.server.address.is_v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail("a socket for requests");
  sockets_.push_back(fd);
  if (!SetOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, kBufferSize)) SetOption(fd, SOL_SOCKET, SO_RCVBUF, kBufferSize);
  if (!SetOption(fd, SOL_SOCKET, SO_SNDBUFFORCE, kBufferSize)) SetOption(fd, SOL_SOCKET, SO_SNDBUF, kBufferSize);
  if (!options.sources.empty()) {
    const IpAddress& source = options.sources[index % options.sources.size()];
    SetOption(fd, IPPROTO_IP, IP_FREEBIND, 1);
    const SocketAddress name({source, 0});
    if (bind(fd, name.get(), name.size()) != 0) return fail("source address " + source.ToString());
  }
  const SocketAddress server(options.server);
  if (connect(fd, server.get(), server.size()) != 0) return fail("connecting to " + options.server.ToString());
  if (with_stamps) {
    stamp_socket_ = fd;
    constexpr int kStamps = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE |
                            SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_TSONLY;
    if (!SetOption(fd, SOL_SOCKET, SO_TIMESTAMPING, kStamps)) return fail("kernel timestamps");
  }
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = index;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) return fail("epoll");
  return {};
}

void UdpChannel::NoteError(int error) {
  if (error == ECONNREFUSED) ++counts_.refused;
}

std::uint64_t UdpChannel::Send(std::span<const ByteView> datagrams) {
  static_assert(kBatchSizeMax <= 64, "a bit for each");
  if (datagrams.empty()) return 0;
  Compose(datagrams);
  const std::uint64_t taken = HandOver(sockets_[next_]);
  next_ = (next_ + 1) % plain_count_;
  counts_.send_failed += datagrams.size() - static_cast<std::size_t>(std::popcount(taken));
  return taken;
}

// Datagrams of one size in a row become one message of several segments; only the last of a message may be shorter.
void UdpChannel::Compose(std::span<const ByteView> datagrams) {
  message_count_ = 0;
  for (std::size_t first = 0; first < datagrams.size();) {
    const std::size_t size = datagrams[first].size();
    const std::size_t most = std::min({segments_, datagrams.size() - first, kSegmentedSizeMax / size});
    std::size_t count = 1;
    while (count < most && datagrams[first + count].size() == size) ++count;
    for (std::size_t i = first; i < first + count; ++i) {
      buffers_->vectors[i] = {const_cast<std::uint8_t*>(datagrams[i].data()), size};
    }
    msghdr& message = buffers_->outgoing[message_count_].msg_hdr;
    message = {};
    message.msg_iov = &buffers_->vectors[first];
    message.msg_iovlen = count;
    if (count > 1) SetSegmentSize(message, buffers_->segment_sizes[message_count_].control, size);
    messages_[message_count_++] = {first, count};
    first += count;
  }
}

std::uint64_t UdpChannel::HandOver(int fd) {
  std::uint64_t taken = 0;
  // Ends: every turn hands over one message at least, or gives one up; an ICMP error of an earlier request is told
  // once.
  for (std::size_t done = 0; done < message_count_;) {
    ++counts_.send_calls;
    const int count = sendmmsg(fd, &buffers_->outgoing[done], static_cast<unsigned>(message_count_ - done), 0);
    if (count <= 0) {
      NoteError(errno);
      if (errno != ECONNREFUSED) ++done;
      continue;
    }
    for (int i = 0; i < count; ++i, ++done) {
      for (std::size_t k = 0; k < messages_[done].count; ++k) taken |= std::uint64_t{1} << (messages_[done].first + k);
    }
  }
  return taken;
}

bool UdpChannel::SendStamped(ByteView datagram) {
  // Once more after an ICMP error, which is told in place of the send.
  for (int attempt = 0; attempt < 2; ++attempt) {
    ++counts_.send_calls;
    if (send(stamp_socket_, datagram.data(), datagram.size(), 0) >= 0) return true;
    NoteError(errno);
  }
  ++counts_.send_failed;
  return false;
}

void UdpChannel::ReadDepartures(const std::function<void(std::uint32_t, UnixTime)>& take) {
  alignas(cmsghdr) std::array<std::uint8_t, 256> control;
  // Ends: when the queue is empty.
  while (true) {
    msghdr message{};
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    if (recvmsg(stamp_socket_, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return;
    std::optional<std::uint32_t> number;
    const std::optional<UnixTime> stamp = ReadStamp(message, &number);
    if (stamp && number) take(*number, *stamp);
  }
}

// Fills the room behind `room_start` from one socket; how many came.
std::size_t UdpChannel::Drain(std::size_t socket, std::size_t room_start) {
  const int fd = sockets_[socket];
  const bool has_stamps = fd == stamp_socket_;
  if (has_stamps) {
    for (std::size_t i = room_start; i < kBatchSizeMax; ++i) {
      buffers_->messages[i].msg_hdr.msg_control = buffers_->slots[i].control.data();
      buffers_->messages[i].msg_hdr.msg_controllen = kControlSize;
    }
  }
  const int count = recvmmsg(fd, &buffers_->messages[room_start], static_cast<unsigned>(kBatchSizeMax - room_start),
                             MSG_DONTWAIT, nullptr);
  if (count < 0) NoteError(errno);
  const std::size_t received = count > 0 ? static_cast<std::size_t>(count) : 0;
  for (std::size_t i = room_start; i < room_start + received; ++i) {
    mmsghdr& message = buffers_->messages[i];
    if ((message.msg_hdr.msg_flags & MSG_TRUNC) != 0) ++counts_.truncated;
    buffers_->arrivals[i] = {.octets = ByteSpan(buffers_->slots[i].octets).first(message.msg_len),
                             .received_ns = 0,
                             .stamp = has_stamps ? ReadStamp(message.msg_hdr) : std::nullopt};
  }
  if (has_stamps) {
    for (std::size_t i = room_start; i < kBatchSizeMax; ++i) {
      buffers_->messages[i].msg_hdr.msg_control = nullptr;
      buffers_->messages[i].msg_hdr.msg_controllen = 0;
    }
  }
  return received;
}

std::span<Arrival> UdpChannel::Receive(Duration wait) {
  if (ready_.empty()) {
    std::array<epoll_event, 64> events;
    const timespec limit{.tv_sec = wait.count() / 1'000'000'000, .tv_nsec = wait.count() % 1'000'000'000};
    const int count = epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), &limit, nullptr);
    for (int i = 0; i < count; ++i) ready_.push_back(static_cast<int>(events[static_cast<std::size_t>(i)].data.u64));
  }
  std::size_t received = 0;
  // Ends: a socket leaves the list, or the batch is full.
  while (!ready_.empty() && received < kBatchSizeMax) {
    const std::size_t room = kBatchSizeMax - received;
    const std::size_t count = Drain(static_cast<std::size_t>(ready_.back()), received);
    received += count;
    if (count < room) ready_.pop_back();
  }
  return std::span(buffers_->arrivals).first(received);
}

}  // namespace ntsd::load
