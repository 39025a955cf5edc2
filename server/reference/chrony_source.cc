#include "server/reference/chrony_source.h"

#include <array>

#include "core/ntp/chrony_report.h"
#include "server/reference/await_answer.h"

namespace ntsd {

ChronySource::ChronySource(std::unique_ptr<DatagramSocket> socket, const Clock& clock, Random& random)
    : socket_(std::move(socket)), clock_(clock), random_(random) {}

Expected<ReferenceSample, ReferenceFault> ChronySource::Poll() {
  // Random, so that nobody else on this host can answer for chronyd without having seen the question.
  const auto sequence = static_cast<std::uint32_t>(random_.NextU64());
  if (const auto sent = socket_->Send(WriteChronyTrackingRequest(sequence)); !sent) return Unexpected(sent.error());
  return AwaitAnswer(*socket_, clock_,
                     [&](ByteView reply, ClockReading taken) { return SampleFromChrony(reply, sequence, taken); });
}

}  // namespace ntsd
