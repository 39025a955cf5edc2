#include "server/udp/uring_port.h"

#include <liburing.h>
#include <poll.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/base/check.h"
#include "core/limits.h"
#include "server/udp/answer_slots.h"
#include "server/udp/datagram.h"
#include "server/udp/departure_reader.h"
#include "server/udp/wake_event.h"

namespace ntsd {
namespace {

constexpr unsigned kSubmissionEntries = 256;
// Every completion is a used buffer, a failed send of one batch, an end of a receive, or a wake-up: it cannot overflow.
constexpr unsigned kCompletionEntries = 1024;
constexpr unsigned kBufferCount = 256;  // a power of two
constexpr std::uint16_t kBufferGroup = 0;

// A little more than the longest name, so that the control messages behind it are aligned.
constexpr std::size_t kNameSize = 32;
static_assert(kNameSize >= sizeof(sockaddr_in6) && (sizeof(io_uring_recvmsg_out) + kNameSize) % alignof(cmsghdr) == 0);
// One word more than a request may have, so that longer ones are seen to be longer.
constexpr std::size_t kPayloadSize = kRequestSizeMax + 4;
// An odd multiple of 64 octets apart, so that neighbours do not fall into the same cache sets.
constexpr std::size_t kBufferSize = [] {
  std::size_t lines =
      (sizeof(io_uring_recvmsg_out) + kNameSize + kReceiveControlSize + kPayloadSize + kCacheLineSize - 1) /
      kCacheLineSize;
  return (lines | 1) * kCacheLineSize;
}();

static_assert(kBatchSizeMax * 2 <= kBufferCount, "one batch in work, one coming in");
static_assert(kBatchSizeMax <= kSubmissionEntries);
static_assert(kBufferCount + kBatchSizeMax + 64 <= kCompletionEntries);

// What a completion belongs to: the kind above, the socket's index below.
enum class Kind : std::uint64_t { kReceive = 1, kSend = 2, kWake = 3 };
constexpr int kKindShift = 32;
std::uint64_t UserData(Kind kind, std::size_t index = 0) {
  return static_cast<std::uint64_t>(kind) << kKindShift | index;
}

// liburing 2.3 declares functions for these two operations, but its shared library lacks them. -errno on failure.
int RegisterDirectly(const io_uring& ring, unsigned operation, const void* argument, unsigned count) {
  return io_uring_register(static_cast<unsigned>(ring.ring_fd), operation, argument, count);
}

std::string Complaint(const char* what, int error) { return std::string(what) + ": " + std::strerror(error); }

class UringPort final : public UdpPort {
 public:
  UringPort(std::vector<UdpSocket> sockets, const Clock& clock, const CardClocks* cards)
      : UdpPort(clock, cards), sockets_(std::move(sockets)), is_armed_(sockets_.size(), false), departures_(sockets_) {
    receive_template_.msg_namelen = kNameSize;
    receive_template_.msg_controllen = kReceiveControlSize;
  }
  ~UringPort() override {
    if (has_ring_) io_uring_queue_exit(&ring_);
    if (buffer_ring_ != nullptr) munmap(buffer_ring_, kBufferCount * sizeof(io_uring_buf));
  }

  // An empty text: done.
  std::string SetUp();

  std::string Begin() override;
  std::span<Exchange> Receive(bool may_wait) override;
  void Send(std::span<Exchange> group) override;
  void Release() override;
  std::span<const Departure> Departures() override;
  void Wake() override { wake_.Set(); }

 private:
  std::string Restrict();
  io_uring_sqe* NextEntry();
  void Submit();
  void Arm();
  void Harvest();
  void TakeReceive(const io_uring_cqe& completion, std::size_t socket);
  bool TakeDatagram(std::uint8_t* buffer, std::size_t size, std::size_t socket);
  std::uint8_t* Buffer(std::size_t id) { return buffers_.data() + id * kBufferSize; }
  void GiveBack(std::uint16_t id);
  void PrepareSend(io_uring_sqe* entry, const Exchange& exchange, std::size_t index);

  const std::vector<UdpSocket> sockets_;
  WakeEvent wake_;
  io_uring ring_{};
  bool has_ring_ = false;
  io_uring_buf_ring* buffer_ring_ = nullptr;
  std::vector<std::uint8_t> buffers_ = std::vector<std::uint8_t>(kBufferCount * kBufferSize);
  msghdr receive_template_{};  // tells the kernel how to lay out a buffer

  std::vector<bool> is_armed_;  // by socket
  bool wake_is_armed_ = false;
  bool woken_ = false;
  int given_back_ = 0;  // buffers put into the ring since it was last advanced

  AnswerSlots slots_;
  DepartureReader departures_;
  std::array<Exchange, kBatchSizeMax> batch_{};
  std::array<std::uint16_t, kBatchSizeMax> buffer_ids_{};
  std::size_t batch_size_ = 0;
};

std::string UringPort::SetUp() {
  io_uring_params params{};
  params.flags =
      IORING_SETUP_R_DISABLED | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE;
  params.cq_entries = kCompletionEntries;
  if (const int result = io_uring_queue_init_params(kSubmissionEntries, &ring_, &params); result < 0) {
    if (result == -EINVAL) return "this kernel's io_uring is too old (6.1 is needed)";
    return Complaint("io_uring_setup", -result);
  }
  has_ring_ = true;
  std::vector<int> files;
  for (const UdpSocket& socket : sockets_) files.push_back(socket.fd);
  files.push_back(wake_.fd());
  if (const int result = io_uring_register_files(&ring_, files.data(), static_cast<unsigned>(files.size()));
      result < 0) {
    return Complaint("registering sockets with io_uring", -result);
  }
  void* const memory =
      mmap(nullptr, kBufferCount * sizeof(io_uring_buf), PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
  if (memory == MAP_FAILED) return Complaint("memory for io_uring buffers", errno);
  buffer_ring_ = static_cast<io_uring_buf_ring*>(memory);
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uint64_t>(buffer_ring_);
  registration.ring_entries = kBufferCount;
  registration.bgid = kBufferGroup;
  if (const int result = io_uring_register_buf_ring(&ring_, &registration, 0); result < 0) {
    return Complaint("registering buffers with io_uring", -result);
  }
  io_uring_buf_ring_init(buffer_ring_);
  for (std::uint16_t id = 0; id < kBufferCount; ++id) GiveBack(id);
  io_uring_buf_ring_advance(buffer_ring_, given_back_);
  given_back_ = 0;
  return Restrict();
}

// From enabling on, this ring can receive, send and wait for its eventfd, on registered files only.
std::string UringPort::Restrict() {
  std::array<io_uring_restriction, 6> rules{};
  const std::uint8_t operations[] = {IORING_OP_RECVMSG, IORING_OP_SEND, IORING_OP_SENDMSG, IORING_OP_POLL_ADD};
  std::size_t count = 0;
  for (const std::uint8_t operation : operations) {
    rules[count].opcode = IORING_RESTRICTION_SQE_OP;
    rules[count++].sqe_op = operation;
  }
  rules[count].opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
  rules[count++].sqe_flags = IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT | IOSQE_CQE_SKIP_SUCCESS;
  rules[count].opcode = IORING_RESTRICTION_SQE_FLAGS_REQUIRED;
  rules[count++].sqe_flags = IOSQE_FIXED_FILE;
  const int result = RegisterDirectly(ring_, IORING_REGISTER_RESTRICTIONS, rules.data(), static_cast<unsigned>(count));
  return result < 0 ? Complaint("restricting io_uring", -result) : std::string();
}

std::string UringPort::Begin() {
  const int result = RegisterDirectly(ring_, IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
  return result < 0 ? Complaint("enabling io_uring", -result) : std::string();
}

io_uring_sqe* UringPort::NextEntry() {
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  if (entry == nullptr) {
    Submit();
    entry = io_uring_get_sqe(&ring_);
  }
  CHECK(entry != nullptr);
  return entry;
}

// After this the kernel has seen every entry; sends have been tried, since they do not wait.
void UringPort::Submit() {
  // Ends: the kernel refuses entries only while it is out of memory or completions wait to be flushed.
  constexpr int kAttemptsMax = 100'000;
  for (int attempt = 0; io_uring_sq_ready(&ring_) > 0; ++attempt) {
    CHECK(attempt < kAttemptsMax);
    if (io_uring_submit(&ring_) < 0) io_uring_get_events(&ring_);
  }
}

// Starts what is not running: at the beginning, and after each completion that said it was the last.
void UringPort::Arm() {
  for (std::size_t i = 0; i < sockets_.size(); ++i) {
    if (is_armed_[i]) continue;
    io_uring_sqe* const entry = NextEntry();
    io_uring_prep_recvmsg_multishot(entry, static_cast<int>(i), &receive_template_, 0);
    entry->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
    entry->buf_group = kBufferGroup;
    entry->user_data = UserData(Kind::kReceive, i);
    is_armed_[i] = true;
  }
  if (!wake_is_armed_) {
    io_uring_sqe* const entry = NextEntry();
    io_uring_prep_poll_multishot(entry, static_cast<int>(sockets_.size()), POLLIN);
    entry->flags |= IOSQE_FIXED_FILE;
    entry->user_data = UserData(Kind::kWake);
    wake_is_armed_ = true;
  }
}

std::span<Exchange> UringPort::Receive(bool may_wait) {
  CHECK(batch_size_ == 0);
  // Ends: with a datagram, with a wake-up, or at once when it may not wait.
  while (true) {
    Arm();
    Submit();
    if (io_uring_cq_ready(&ring_) == 0) {
      if (may_wait) {
        // Interrupted waits come back here.
        io_uring_submit_and_wait(&ring_, 1);
      } else {
        io_uring_get_events(&ring_);
      }
    }
    Harvest();
    if (batch_size_ > 0 || woken_ || !may_wait) break;
  }
  woken_ = false;
  return std::span(batch_).first(batch_size_);
}

void UringPort::Harvest() {
  unsigned seen = 0;
  unsigned head;
  io_uring_cqe* completion;
  io_uring_for_each_cqe(&ring_, head, completion) {
    if (batch_size_ == kBatchSizeMax) break;
    ++seen;
    const auto index = static_cast<std::size_t>(completion->user_data & 0xFFFF'FFFF);
    switch (static_cast<Kind>(completion->user_data >> kKindShift)) {
      case Kind::kReceive:
        TakeReceive(*completion, index);
        break;
      case Kind::kSend:
        // Only failures are told.
        Count(PortEvent::kSendFailed);
        break;
      case Kind::kWake:
        wake_.Clear();
        woken_ = true;
        if ((completion->flags & IORING_CQE_F_MORE) == 0) wake_is_armed_ = false;
        break;
    }
  }
  io_uring_cq_advance(&ring_, seen);
  if (given_back_ > 0) {
    io_uring_buf_ring_advance(buffer_ring_, given_back_);
    given_back_ = 0;
  }
}

void UringPort::TakeReceive(const io_uring_cqe& completion, std::size_t socket) {
  if ((completion.flags & IORING_CQE_F_MORE) == 0) {
    // An empty datagram, an empty buffer ring and a full completion queue each end a multishot receive.
    is_armed_[socket] = false;
    Count(PortEvent::kRearmed);
  }
  if ((completion.flags & IORING_CQE_F_BUFFER) == 0) {
    if (completion.res < 0) {
      Count(completion.res == -ENOBUFS ? PortEvent::kBuffersExhausted : PortEvent::kReceiveFailed);
    }
    return;
  }
  const auto id = static_cast<std::uint16_t>(completion.flags >> IORING_CQE_BUFFER_SHIFT);
  if (completion.res < 0 || !TakeDatagram(Buffer(id), static_cast<std::size_t>(completion.res), socket)) {
    GiveBack(id);
    return;
  }
  buffer_ids_[batch_size_++] = id;
}

bool UringPort::TakeDatagram(std::uint8_t* buffer, std::size_t size, std::size_t socket) {
  io_uring_recvmsg_out* const out = io_uring_recvmsg_validate(buffer, static_cast<int>(size), &receive_template_);
  if (out == nullptr) {
    Count(PortEvent::kReceiveFailed);
    return false;
  }
  Count(PortEvent::kReceived);
  auto* const name = static_cast<std::uint8_t*>(io_uring_recvmsg_name(out));
  // The kernel tells the sizes it would have needed.
  const auto sender = ReadSocketAddress(name, std::min<std::size_t>(out->namelen, kNameSize));
  if (!sender) {
    Count(PortEvent::kSenderUnknown);
    return false;
  }
  msghdr message{};
  message.msg_control = name + kNameSize;
  message.msg_controllen = std::min<std::size_t>(out->controllen, kReceiveControlSize);
  const Arrival arrival = ReadArrival(message);
  auto* const payload = static_cast<std::uint8_t*>(io_uring_recvmsg_payload(out, &receive_template_));
  const std::size_t payload_size = io_uring_recvmsg_payload_length(out, static_cast<int>(size), &receive_template_);
  Exchange& exchange = batch_[batch_size_];
  exchange = {.request = ByteSpan(payload, payload_size),
              .reply = slots_.reply(batch_size_),
              .source = *sender,
              .to_unicast = arrival.to_unicast,
              .received = StampOf(arrival),
              .listener = sockets_[socket].listener};
  slots_.route(batch_size_) = {.socket = socket, .local = arrival.local, .interface = arrival.interface};
  return true;
}

// MSG_DONTWAIT: a send that cannot be done at once fails, so that no entry outlives Submit() with its memory.
void UringPort::PrepareSend(io_uring_sqe* entry, const Exchange& exchange, std::size_t index) {
  const Route& route = slots_.route(index);
  const auto socket = static_cast<int>(route.socket);
  const bool asks_departure = exchange.sample != 0;
  if (route.local || asks_departure) {
    const msghdr& message = slots_.Message(index, exchange.source, exchange.reply_size, asks_departure);
    io_uring_prep_sendmsg(entry, socket, &message, MSG_DONTWAIT);
    if (asks_departure) departures_.Expect(route.socket, exchange.sample);
    return;
  }
  // Without a message the kernel has less to copy and to check.
  io_uring_prep_send(entry, socket, exchange.reply.data(), exchange.reply_size, MSG_DONTWAIT);
  const auto address = slots_.Address(index, exchange.source);
  io_uring_prep_send_set_addr(entry, reinterpret_cast<const sockaddr*>(address.data()),
                              static_cast<std::uint16_t>(address.size()));
}

void UringPort::Send(std::span<Exchange> group) {
  std::uint64_t count = 0;
  for (const Exchange& exchange : group) {
    if (exchange.reply_size == 0) continue;
    const auto index = static_cast<std::size_t>(&exchange - batch_.data());
    io_uring_sqe* const entry = NextEntry();
    PrepareSend(entry, exchange, index);
    entry->flags |= IOSQE_FIXED_FILE | IOSQE_CQE_SKIP_SUCCESS;
    entry->user_data = UserData(Kind::kSend);
    ++count;
  }
  if (count == 0) return;
  Submit();
  Count(PortEvent::kSent, count);
}

void UringPort::Release() {
  for (std::size_t i = 0; i < batch_size_; ++i) GiveBack(buffer_ids_[i]);
  io_uring_buf_ring_advance(buffer_ring_, given_back_);
  given_back_ = 0;
  batch_size_ = 0;
}

// By a system call of its own: one answer in many asks for it, and this way both engines share the code.
std::span<const Departure> UringPort::Departures() {
  departures_.Collect();
  Count(PortEvent::kDepartureMissing, departures_.TakeMissing());
  return departures_.Take();
}

void UringPort::GiveBack(std::uint16_t id) {
  io_uring_buf_ring_add(buffer_ring_, Buffer(id), kBufferSize, id, io_uring_buf_ring_mask(kBufferCount), given_back_);
  ++given_back_;
}

}  // namespace

Expected<std::unique_ptr<UdpPort>, std::string> MakeUringPort(std::vector<UdpSocket> sockets, const Clock& clock,
                                                              const CardClocks* cards) {
  auto port = std::make_unique<UringPort>(std::move(sockets), clock, cards);
  std::string complaint = port->SetUp();
  if (!complaint.empty()) return Unexpected(std::move(complaint));
  return std::unique_ptr<UdpPort>(std::move(port));
}

}  // namespace ntsd
