// Waits for the answer to the question that was just sent, past late answers to earlier ones.
#pragma once

#include <array>

#include "core/ntp/clock_reading.h"
#include "server/reference/clock_source.h"
#include "server/reference/datagram_socket.h"

namespace ntsd {

// Calls `read(reply, taken)`, which gives a sample or a fault, for each datagram until one is not kMismatched.
// Ends after kPollTimeout, or after a few datagrams, whatever the peer sends.
template <typename Read>
Expected<ReferenceSample, ReferenceFault> AwaitAnswer(DatagramSocket& socket, const Clock& clock, Read read) {
  constexpr int kDatagramsMax = 16;
  constexpr std::size_t kAnswerSizeMax = 512;
  const MonotonicTime deadline = clock.Monotonic() + kPollTimeout;
  Expected<ReferenceSample, ReferenceFault> answer = Unexpected(ReferenceFault::kNoAnswer);
  for (int i = 0; i < kDatagramsMax; ++i) {
    std::array<std::uint8_t, kAnswerSizeMax> reply;
    const auto size = socket.Receive(reply, deadline - clock.Monotonic());
    // What came before and was not for us is a better reason than that nothing followed it.
    if (!size) return i == 0 ? Unexpected(size.error()) : answer;
    answer = read(ByteView(reply).first(*size), ReadClocks(clock));
    if (answer || answer.error() != ReferenceFault::kMismatched) break;
  }
  return answer;
}

}  // namespace ntsd
