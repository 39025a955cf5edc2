#include "tests/conformance/probe/text.h"

#include <fmt/format.h>

#include <algorithm>

namespace ntsd::conformance {
namespace {

constexpr std::size_t kPrintableSizeMax = 256;

}  // namespace

std::string Hex(ByteView octets, std::size_t size_max) {
  std::string text;
  for (const std::uint8_t octet : octets.first(std::min(octets.size(), size_max))) text += fmt::format("{:02x}", octet);
  if (octets.size() > size_max) text += fmt::format("… ({} octets)", octets.size());
  return text;
}

std::string Printable(std::string_view text) {
  std::string printable;
  for (const char c : text.substr(0, kPrintableSizeMax)) {
    const bool is_plain = c >= 0x20 && c < 0x7F && c != '\\';
    printable += is_plain ? std::string(1, c) : fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  if (text.size() > kPrintableSizeMax) printable += "…";
  return printable;
}

std::string Printable(ByteView octets) {
  return Printable(std::string_view(reinterpret_cast<const char*>(octets.data()), octets.size()));
}

std::string Count(std::size_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

}  // namespace ntsd::conformance
