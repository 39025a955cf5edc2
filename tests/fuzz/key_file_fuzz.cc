// A key file, ours or chrony's, is read without a crash, and what was read can be written and read back as the same
// ring.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/base/check.h"
#include "core/keys/key_file.h"
#include "tests/support/fakes.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ntsd;  // NOLINT: the fuzzer wants this function outside of all namespaces
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const UnixTime written = UnixTime(std::chrono::seconds(1'767'225'600));
  const auto parsed = ParseKeyFile(text, written);
  if (!parsed) {
    CHECK(!DescribeKeyFileError(parsed.error()).empty());
    return 0;
  }
  const SecretText again = WriteKeyFile(parsed->ring);
  const auto reread = ParseKeyFile(again, written);
  CHECK(reread && reread->format == KeyFileFormat::kNtsd && reread->ring == parsed->ring);
  testing::FakeRandom random;
  const ChronyExport exported = WriteChronyKeys(parsed->ring, std::chrono::hours(1), random);
  CHECK(ParseKeyFile(exported.text, written).has_value());
  return 0;
}
