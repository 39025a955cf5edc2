#include "bench/load/host_facts.h"

#include <sys/utsname.h>

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <thread>

#include "core/crypto/aead.h"

namespace ntsd::load {
namespace {

std::string ReadLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// The value of the first line that begins with `key`, as in /proc/cpuinfo.
std::string ReadField(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.compare(0, key.size(), key) != 0) continue;
    const std::size_t start = line.find_first_not_of(" \t", line.find(':') + 1);
    return start == std::string::npos ? std::string() : line.substr(start);
  }
  return {};
}

std::string Now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

// How many weaknesses the kernel works around, and those that it does not.
std::string Mitigations() {
  std::error_code error;
  unsigned mitigated = 0;
  std::string vulnerable;
  for (const auto& entry : std::filesystem::directory_iterator("/sys/devices/system/cpu/vulnerabilities", error)) {
    const std::string state = ReadLine(entry.path().string());
    if (state.compare(0, 10, "Mitigation") == 0) ++mitigated;
    if (state.compare(0, 10, "Vulnerable") == 0) vulnerable += " " + entry.path().filename().string();
  }
  if (error) return {};
  return std::to_string(mitigated) + " on" + (vulnerable.empty() ? "" : "; vulnerable:" + vulnerable);
}

}  // namespace

HostFacts GatherHostFacts(int argument_count, const char* const* arguments) {
  HostFacts facts;
  facts.date = Now();
  facts.version = NTSD_VERSION;
  for (int i = 0; i < argument_count; ++i) facts.command += (i == 0 ? "" : " ") + std::string(arguments[i]);
  utsname name{};
  if (uname(&name) == 0) {
    facts.kernel = name.release;
    facts.machine = name.machine;
  }
  facts.cpu_model = ReadField("/proc/cpuinfo", "model name");
  facts.cpu_count = std::thread::hardware_concurrency();
  facts.cpus_allowed = ReadField("/proc/self/status", "Cpus_allowed_list");
  facts.governor = ReadLine("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
  facts.mitigations = Mitigations();
  const std::string flags = " " + ReadField("/proc/cpuinfo", "flags") + " ";
  if (flags.find(" hypervisor ") != std::string::npos) facts.virtual_machine = "hypervisor";
  double load[1] = {0};
  if (getloadavg(load, 1) == 1) facts.load_average = load[0];
  facts.aead = SelectAead()->Name();
  return facts;
}

}  // namespace ntsd::load
