#include "server/reference/ntp_source.h"

#include <array>

#include "server/reference/await_answer.h"

namespace ntsd {

NtpSource::NtpSource(std::unique_ptr<DatagramSocket> socket, const Clock& clock, Random& random)
    : socket_(std::move(socket)), clock_(clock), random_(random) {}

Expected<ReferenceSample, ReferenceFault> NtpSource::Poll() {
  const std::uint64_t nonce = random_.NextU64();
  std::array<std::uint8_t, kNtpHeaderSize> request{};
  ByteWriter writer(request);
  NtpPollRequest(nonce).Write(writer);
  const ClockReading sent = ReadClocks(clock_);
  if (const auto result = socket_->Send(request); !result) return Unexpected(result.error());
  return AwaitAnswer(*socket_, clock_,
                     [&](ByteView reply, ClockReading taken) { return SampleFromNtp(reply, nonce, sent, taken); });
}

}  // namespace ntsd
