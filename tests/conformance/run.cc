#include "tests/conformance/run.h"

#include <algorithm>
#include <chrono>

#include "tests/conformance/checks/checks.h"
#include "tests/conformance/probe/probe.h"

namespace ntsd::conformance {

std::size_t Report::Count(Verdict verdict) const {
  return static_cast<std::size_t>(
      std::count_if(results.begin(), results.end(), [&](const Result& result) { return result.verdict() == verdict; }));
}

namespace {

Finding RunOne(const Check& check, Probe& probe) {
  if (check.run == nullptr) return Skip("not visible from outside: " + std::string(check.reason));
  if (NeedsPlainNtp(check.id) && !probe.serves_plain()) return Skip("this server serves no time without NTS");
  return check.run(probe);
}

}  // namespace

std::vector<Result> RunChecks(std::span<const Check> checks, Probe& probe,
                              const std::function<void(const Result&)>& on_result) {
  std::vector<Result> results;
  for (const Check& check : checks) {
    const auto start = std::chrono::steady_clock::now();
    Result result{check, RunOne(check, probe)};
    result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    on_result(result);
    results.push_back(std::move(result));
  }
  return results;
}

}  // namespace ntsd::conformance
