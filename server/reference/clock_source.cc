#include "server/reference/clock_source.h"

#include <sys/timex.h>

#include "core/base/ip_address.h"
#include "server/reference/chrony_source.h"
#include "server/reference/datagram_socket.h"
#include "server/reference/kernel_source.h"
#include "server/reference/ntp_source.h"

namespace ntsd {
namespace {

class LocalSource final : public ClockSource {
 public:
  LocalSource(std::uint8_t stratum, const Clock& clock) : stratum_(stratum), clock_(clock) {}

  Expected<ReferenceSample, ReferenceFault> Poll() override { return LocalSample(stratum_, ReadClocks(clock_)); }

 private:
  std::uint8_t stratum_;
  const Clock& clock_;
};

Expected<std::unique_ptr<DatagramSocket>, std::string> OpenUdp(const std::string& address) {
  const auto endpoint = IpEndpoint::Parse(address);
  if (!endpoint) return Unexpected(address + ": not an address and port");
  return DatagramSocket::ConnectUdp(*endpoint);
}

}  // namespace

Expected<std::unique_ptr<ClockSource>, std::string> OpenClockSource(const ReferenceSettings& settings,
                                                                    const Clock& clock, Random& random) {
  switch (settings.kind) {
    case ReferenceKind::kChrony: {
      auto socket =
          settings.address.starts_with('/') ? DatagramSocket::OpenUnix(settings.address) : OpenUdp(settings.address);
      if (!socket) return Unexpected(socket.error());
      return std::make_unique<ChronySource>(*std::move(socket), clock, random);
    }
    case ReferenceKind::kNtp: {
      auto socket = OpenUdp(settings.address);
      if (!socket) return Unexpected(socket.error());
      return std::make_unique<NtpSource>(*std::move(socket), clock, random);
    }
    case ReferenceKind::kKernel: {
      const std::uint32_t reference_id = settings.reference_id != 0 ? settings.reference_id : kKernelReferenceId;
      return std::make_unique<KernelSource>(settings.stratum, reference_id, clock,
                                            [](timex* figures) { return adjtimex(figures); });
    }
    case ReferenceKind::kLocal:
      break;
  }
  return std::make_unique<LocalSource>(settings.stratum, clock);
}

}  // namespace ntsd
