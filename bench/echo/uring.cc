#include <liburing.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "bench/echo/echo.h"
#include "core/base/check.h"

namespace ntsd::echo {
namespace {

// As a worker of ntsd has them, so that the two differ in what they do between receiving and sending only.
constexpr unsigned kSubmissionEntries = 256;
constexpr unsigned kCompletionEntries = 1024;
constexpr unsigned kBufferCount = 256;
constexpr std::size_t kNameSize = 32;
constexpr std::size_t kBufferSize =
    (((sizeof(io_uring_recvmsg_out) + kNameSize + kControlSize + kDatagramSizeMax + 63) / 64) | 1) * 64;

constexpr std::uint64_t kReceiveTag = 1;
constexpr std::uint64_t kSendTag = 2;

std::string Complaint(const char* what, int result) { return std::string(what) + ": " + std::strerror(-result); }

class UringEcho {
 public:
  UringEcho(int fd, const Options& options)
      : fd_(fd), options_(options), buffers_(kBufferCount * kBufferSize), answers_(kBufferCount) {
    template_.msg_namelen = kNameSize;
    template_.msg_controllen = options.receive_stamps || options.packet_info ? kControlSize : 0;
  }
  ~UringEcho() {
    if (has_ring_) io_uring_queue_exit(&ring_);
    if (buffer_ring_ != nullptr) munmap(buffer_ring_, kBufferCount * sizeof(io_uring_buf));
  }

  std::string SetUp();
  Totals Run(const volatile std::sig_atomic_t& stop);

 private:
  struct Answer {
    msghdr message;
    iovec vector;
  };

  void Arm();
  void Harvest();
  void Take(const io_uring_cqe& completion);
  void Submit();
  void GiveBack(unsigned id);
  std::uint8_t* Buffer(unsigned id) { return buffers_.data() + id * kBufferSize; }

  const int fd_;
  const Options& options_;
  io_uring ring_{};
  bool has_ring_ = false;
  io_uring_buf_ring* buffer_ring_ = nullptr;
  std::vector<std::uint8_t> buffers_;
  std::vector<Answer> answers_;  // one a buffer
  msghdr template_{};
  bool is_armed_ = false;
  std::size_t unsent_ = 0;
  std::vector<unsigned> used_;  // buffers of the batch in work
  Totals totals_;
};

std::string UringEcho::SetUp() {
  io_uring_params params{};
  params.flags =
      IORING_SETUP_R_DISABLED | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE;
  params.cq_entries = kCompletionEntries;
  if (const int result = io_uring_queue_init_params(kSubmissionEntries, &ring_, &params); result < 0) {
    return Complaint("io_uring_setup", result);
  }
  has_ring_ = true;
  if (const int result = io_uring_register_files(&ring_, &fd_, 1); result < 0) return Complaint("fixed file", result);
  void* const memory =
      mmap(nullptr, kBufferCount * sizeof(io_uring_buf), PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
  if (memory == MAP_FAILED) return Complaint("memory", -errno);
  buffer_ring_ = static_cast<io_uring_buf_ring*>(memory);
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uint64_t>(buffer_ring_);
  registration.ring_entries = kBufferCount;
  if (const int result = io_uring_register_buf_ring(&ring_, &registration, 0); result < 0) {
    return Complaint("buffers", result);
  }
  io_uring_buf_ring_init(buffer_ring_);
  for (unsigned id = 0; id < kBufferCount; ++id) GiveBack(id);
  used_.reserve(kBufferCount);
  const int result = io_uring_register(static_cast<unsigned>(ring_.ring_fd), IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
  return result < 0 ? Complaint("enabling", result) : std::string();
}

void UringEcho::GiveBack(unsigned id) {
  io_uring_buf_ring_add(buffer_ring_, Buffer(id), kBufferSize, static_cast<std::uint16_t>(id),
                        io_uring_buf_ring_mask(kBufferCount), 0);
  io_uring_buf_ring_advance(buffer_ring_, 1);
}

void UringEcho::Arm() {
  if (is_armed_) return;
  io_uring_sqe* const entry = io_uring_get_sqe(&ring_);
  CHECK(entry != nullptr);
  io_uring_prep_recvmsg_multishot(entry, 0, &template_, 0);
  entry->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
  entry->buf_group = 0;
  entry->user_data = kReceiveTag;
  is_armed_ = true;
}

Totals UringEcho::Run(const volatile std::sig_atomic_t& stop) {
  while (stop == 0) {
    Arm();
    io_uring_submit(&ring_);
    if (io_uring_cq_ready(&ring_) == 0) io_uring_submit_and_wait(&ring_, 1);
    Harvest();
  }
  return totals_;
}

void UringEcho::Harvest() {
  unsigned seen = 0;
  unsigned head;
  io_uring_cqe* completion;
  io_uring_for_each_cqe(&ring_, head, completion) {
    if (used_.size() == options_.batch) break;
    ++seen;
    if (completion->user_data == kReceiveTag) {
      Take(*completion);
    } else {
      ++totals_.send_failed;  // only failures are told
    }
  }
  io_uring_cq_advance(&ring_, seen);
  Submit();
  // The sends did not wait, so their buffers are free again.
  for (const unsigned id : used_) GiveBack(id);
  used_.clear();
}

void UringEcho::Take(const io_uring_cqe& completion) {
  if ((completion.flags & IORING_CQE_F_MORE) == 0) is_armed_ = false;
  if ((completion.flags & IORING_CQE_F_BUFFER) == 0) return;
  const unsigned id = completion.flags >> IORING_CQE_BUFFER_SHIFT;
  used_.push_back(id);
  io_uring_recvmsg_out* const out =
      completion.res < 0 ? nullptr : io_uring_recvmsg_validate(Buffer(id), completion.res, &template_);
  if (out == nullptr) return;
  ++totals_.received;
  Answer& answer = answers_[id];
  auto* const name = static_cast<std::uint8_t*>(io_uring_recvmsg_name(out));
  answer.vector = {io_uring_recvmsg_payload(out, &template_),
                   io_uring_recvmsg_payload_length(out, completion.res, &template_)};
  answer.message = {};
  answer.message.msg_name = name;
  answer.message.msg_namelen = static_cast<socklen_t>(std::min<std::size_t>(out->namelen, kNameSize));
  answer.message.msg_iov = &answer.vector;
  answer.message.msg_iovlen = 1;
  answer.message.msg_control = name + kNameSize;
  answer.message.msg_controllen = std::min<std::size_t>(out->controllen, template_.msg_controllen);
  TurnAround(answer.message, options_);
  io_uring_sqe* const entry = io_uring_get_sqe(&ring_);
  CHECK(entry != nullptr);
  if (answer.message.msg_control != nullptr) {
    io_uring_prep_sendmsg(entry, 0, &answer.message, MSG_DONTWAIT);
  } else {
    io_uring_prep_send(entry, 0, answer.vector.iov_base, answer.vector.iov_len, MSG_DONTWAIT);
    io_uring_prep_send_set_addr(entry, static_cast<const sockaddr*>(answer.message.msg_name),
                                static_cast<std::uint16_t>(answer.message.msg_namelen));
  }
  entry->flags |= IOSQE_FIXED_FILE | IOSQE_CQE_SKIP_SUCCESS;
  entry->user_data = kSendTag;
  ++totals_.sent;
  if (++unsent_ >= options_.group) Submit();
}

void UringEcho::Submit() {
  // Ends: the kernel refuses entries only while completions wait to be flushed.
  while (io_uring_sq_ready(&ring_) > 0) {
    if (io_uring_submit(&ring_) < 0) io_uring_get_events(&ring_);
  }
  unsent_ = 0;
}

}  // namespace

Expected<Totals, std::string> RunUring(int fd, const Options& options, const volatile std::sig_atomic_t& stop) {
  UringEcho echo(fd, options);
  if (const std::string complaint = echo.SetUp(); !complaint.empty()) return Unexpected("io_uring: " + complaint);
  return echo.Run(stop);
}

}  // namespace ntsd::echo
