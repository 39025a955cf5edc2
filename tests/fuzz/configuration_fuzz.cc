// Any text is either refused with places and reasons, or is a configuration that prints as one that reads back equal.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/base/check.h"
#include "server/config/load.h"
#include "server/config/print.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ntsd;  // NOLINT: the fuzzer wants this function outside of all namespaces
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const LoadResult loaded = ParseConfig(text, "fuzz.toml", {});
  if (!loaded) {
    CHECK(!loaded.error().empty());
    for (const ConfigError& error : loaded.error()) CHECK(!error.ToString().empty());
    return 0;
  }
  const LoadResult again = ParseConfig(ConfigToToml(loaded->config), "printed.toml", {});
  CHECK(again.has_value());
  CHECK(again->config == loaded->config);
  return 0;
}
