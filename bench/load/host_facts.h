// What a figure depends on beside the program: the machine, its kernel, who else was there.
//
// Threads: main's. Errors: what cannot be read is left empty.
#pragma once

#include <string>

namespace ntsd::load {

struct HostFacts {
  std::string date;     // UTC, ISO 8601, when the facts were taken
  std::string version;  // of ntsload
  std::string command;  // as it was typed
  std::string kernel;
  std::string machine;  // x86_64
  std::string cpu_model;
  unsigned cpu_count = 0;
  std::string cpus_allowed;  // of this process
  std::string governor;
  std::string mitigations;      // of the kernel, in short
  std::string virtual_machine;  // "hypervisor" when the CPU says so
  double load_average = 0;      // of the last minute, before the run
  std::string aead;             // our implementation
};

HostFacts GatherHostFacts(int argument_count, const char* const* arguments);

}  // namespace ntsd::load
