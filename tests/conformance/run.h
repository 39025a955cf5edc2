// Runs checks one after the other, and what they came to.
//
// Threads: Run() belongs to one thread.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "tests/conformance/check.h"

namespace ntsd::conformance {

struct Result {
  Check check;
  Finding finding;
  double seconds = 0;

  Verdict verdict() const { return VerdictOf(check.level, finding.outcome); }
};

struct Report {
  std::string host;
  std::string ke_server;  // "192.0.2.1:4460"; empty without NTS
  std::string ntp_server;
  std::vector<Result> results;
  double seconds = 0;

  std::size_t Count(Verdict verdict) const;
  bool AllMustHold() const { return Count(Verdict::kFail) == 0; }
};

// Runs the checks that can be run; `on_result` hears of each as soon as it is known.
std::vector<Result> RunChecks(std::span<const Check> checks, Probe& probe,
                              const std::function<void(const Result&)>& on_result);

}  // namespace ntsd::conformance
