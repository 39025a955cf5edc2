#include "bench/load/cpu_meter.h"

#include <dirent.h>
#include <unistd.h>

#include <cstdint>
#include <ctime>
#include <fstream>
#include <memory>
#include <sstream>

namespace ntsd::load {
namespace {

std::optional<std::string> ReadLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  return line;
}

std::optional<Duration> SumOfThreads(const std::string& process) {
  const std::unique_ptr<DIR, int (*)(DIR*)> tasks(opendir((process + "/task").c_str()), &closedir);
  if (tasks == nullptr) return std::nullopt;
  Duration sum{};
  // Ends: with the directory. The stream belongs to this thread, so that its buffer is nobody else's.
  while (const dirent* const entry = readdir(tasks.get())) {  // NOLINT(concurrency-mt-unsafe)
    if (entry->d_name[0] == '.') continue;
    const std::optional<std::string> line = ReadLine(process + "/task/" + entry->d_name + "/schedstat");
    if (!line) continue;  // it has just ended
    const std::optional<Duration> time = ParseSchedstat(*line);
    if (!time) return std::nullopt;
    sum += *time;
  }
  if (sum == Duration(0)) return std::nullopt;
  return sum;
}

}  // namespace

Duration ThreadCpuTime() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

std::optional<Duration> ParseSchedstat(const std::string& line) {
  std::istringstream words(line);
  std::int64_t time_ns = 0;
  if (!(words >> time_ns)) return std::nullopt;
  return Duration(time_ns);
}

std::optional<Duration> ParseStat(const std::string& line, long ticks_per_second) {
  // The second field is the program's name in brackets, and may have blanks and brackets in it.
  const std::size_t end_of_name = line.rfind(')');
  if (end_of_name == std::string::npos || ticks_per_second <= 0) return std::nullopt;
  std::istringstream words(line.substr(end_of_name + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) words >> skipped;
  std::int64_t user = 0;
  std::int64_t system = 0;
  if (!(words >> user >> system)) return std::nullopt;
  return Duration((user + system) * (1'000'000'000 / ticks_per_second));
}

std::optional<Duration> ProcessCpuTime(int pid) {
  const std::string process = "/proc/" + std::to_string(pid);
  if (const std::optional<Duration> time = SumOfThreads(process)) return time;
  const std::optional<std::string> line = ReadLine(process + "/stat");
  if (!line) return std::nullopt;
  return ParseStat(*line, sysconf(_SC_CLK_TCK));
}

}  // namespace ntsd::load
