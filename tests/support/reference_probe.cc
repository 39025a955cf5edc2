// What the server would tell its clients about the clock, with a real source and without a server: one line of JSON
// every 50 ms. Ends when its standard input does.
//
//   reference_probe chrony|ntp|kernel|local ADDRESS MAX-DISTANCE-MS [LEAP-SECONDS-FILE]
#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "core/crypto/fast_random.h"
#include "server/reference/watcher.h"
#include "server/system_clock.h"

namespace ntsd {
namespace {

ReferenceKind ParseKind(std::string_view name) {
  for (const ReferenceKind kind : {ReferenceKind::kChrony, ReferenceKind::kNtp, ReferenceKind::kKernel}) {
    if (name == ToString(kind)) return kind;
  }
  return ReferenceKind::kLocal;
}

void PrintState(const ReferenceWatcher& watcher, const ServerState& state, const Clock& clock) {
  const ReferenceSummary summary = watcher.Summary();
  const MonotonicTime now = clock.Monotonic();
  const bool is_fit = state.IsFitToServe(now);
  std::printf(
      "{\"fit\": %s, \"condition\": \"%s\", \"stratum\": %d, \"reference_id\": \"%08x\", \"leap\": %d, \"offset\": "
      "%.9f, "
      "\"root_delay\": %.9f, \"root_dispersion\": %.9f, \"reference_age\": %.3f, \"epoch\": %u, \"fault\": \"%s\"}\n",
      is_fit ? "true" : "false", std::string(ToString(summary.condition)).c_str(), is_fit ? state.stratum : 0,
      state.reference_id, static_cast<int>(is_fit ? state.LeapAt(clock.Now()) : LeapIndicator::kUnsynchronized),
      static_cast<double>(summary.offset.count()) / 1e9, static_cast<double>(state.root_delay.count()) / 1e9,
      static_cast<double>(state.RootDispersionAt(now).count()) / 1e9,
      static_cast<double>((clock.Now() - state.reference_time).count()) / 1e9, state.clock_epoch,
      summary.last_fault ? std::string(ToString(*summary.last_fault)).c_str() : "");
  std::fflush(stdout);
}

int Run(char** argv, int argc) {
  ReferenceSettings settings;
  settings.kind = ParseKind(argv[1]);
  settings.address = argv[2];
  settings.distance_max = std::chrono::milliseconds(std::atoi(argv[3]));
  if (argc > 4) settings.leap_seconds_file = argv[4];
  const SystemClock clock;
  FastRandom random;
  Log log(LogLevel::kInfo, LogFormat::kText);
  Published<ServerState> published(ServerState{});
  auto source = OpenClockSource(settings, clock, random);
  if (!source) {
    std::fprintf(stderr, "%s\n", source.error().c_str());
    return 1;
  }
  ReferenceWatcher watcher(settings, *std::move(source), clock, published, log);
  watcher.ReadLeapList();
  watcher.Tick();
  watcher.Start();
  pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  while (poll(&input, 1, 50) == 0) PrintState(watcher, published.Read(), clock);
  return 0;
}

}  // namespace
}  // namespace ntsd

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr,
                 "usage: reference_probe chrony|ntp|kernel|local ADDRESS MAX-DISTANCE-MS [LEAP-SECONDS-FILE]\n");
    return 2;
  }
  return ntsd::Run(argv, argc);
}
