// What tells us about our clock from outside, a file of leap seconds or an answer of chronyd, is read without a crash.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/base/check.h"
#include "core/ntp/chrony_report.h"
#include "core/ntp/leap_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ntsd;  // NOLINT: the fuzzer wants this function outside of all namespaces
  const auto table = ParseLeapFile(std::string_view(reinterpret_cast<const char*>(data), size));
  if (table) {
    CHECK(!table->entries.empty());
    table->NearestTo(table->updated);
  } else {
    CHECK(!ToString(table.error()).empty());
  }
  // The sequence number that the reply itself carries, so that reading comes behind that comparison.
  std::uint32_t sequence = 0;
  for (std::size_t i = 16; i < 20 && i < size; ++i) sequence = sequence << 8 | data[i];
  const auto tracking = ParseChronyTracking(ByteView(data, size), sequence);
  CHECK(!tracking || size >= kChronyTrackingSize);
  return 0;
}
