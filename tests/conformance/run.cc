#include "tests/conformance/run.h"

#include <algorithm>
#include <chrono>

namespace ntsd::conformance {

std::size_t Report::Count(Verdict verdict) const {
  return static_cast<std::size_t>(
      std::count_if(results.begin(), results.end(), [&](const Result& result) { return result.verdict() == verdict; }));
}

std::vector<Result> RunChecks(std::span<const Check> checks, Probe& probe,
                              const std::function<void(const Result&)>& on_result) {
  std::vector<Result> results;
  for (const Check& check : checks) {
    const auto start = std::chrono::steady_clock::now();
    Result result{check, check.run != nullptr ? check.run(probe)
                                              : Skip("not visible from outside: " + std::string(check.reason))};
    result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    on_result(result);
    results.push_back(std::move(result));
  }
  return results;
}

}  // namespace ntsd::conformance
