// Key files of any content: no crash, and what is taken for a ring can be written and read back as the same one.
//
// A digest at the end of our own format keeps mutated text from reaching the parser behind it, so each input is also
// tried with the digest that fits.
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/check.h"
#include "core/keys/key_file.h"
#include "tests/support/fakes.h"

namespace {

using namespace ntsd;  // NOLINT(google-build-using-namespace): a program of one file

std::string Signed(std::string text) {
  Digest digest;
  digest.Add(ByteView(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
  text += "checksum ";
  for (const std::uint8_t octet : digest.Finish()) {
    text += "0123456789abcdef"[octet >> 4];
    text += "0123456789abcdef"[octet & 15];
  }
  return text + "\n";
}

void CheckRing(const ParsedKeyFile& parsed, std::string_view text) {
  CHECK(!BrokenRingRule(parsed.ring));
  const SecretText ours = WriteKeyFile(parsed.ring);
  const auto again = ParseKeyFile(ours, UnixTime());
  // A chrony file may tell of an age that reaches back before 1970, which our format does not.
  if (parsed.ring.current_since < UnixTime()) return;
  CHECK(again && again->ring == parsed.ring);
  if (parsed.format == KeyFileFormat::kNtsd) CHECK(std::string_view(ours) == text);

  testing::FakeRandom random;
  const ChronyExport chrony = WriteChronyKeys(parsed.ring, std::chrono::seconds(1), random);
  const auto exported = ParseKeyFile(chrony.text, UnixTime(std::chrono::seconds(1)));
  CHECK(exported && exported->ring.current().key == parsed.ring.current().key);
  CHECK(exported->ring.future().key == parsed.ring.future().key);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string plain(reinterpret_cast<const char*>(data), size);
  const std::string body = plain.substr(0, plain.find("checksum "));
  for (const std::string& text : {plain, Signed(body)}) {
    const auto parsed = ParseKeyFile(text, UnixTime(std::chrono::seconds(1'767'225'600)));
    if (parsed) {
      CheckRing(*parsed, text);
    } else {
      CHECK(!DescribeKeyFileError(parsed.error()).empty());
    }
  }
  return 0;
}
