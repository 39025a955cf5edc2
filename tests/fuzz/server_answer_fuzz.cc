// Whatever a server sends, ntsconform takes it apart to the last octet and describes it without one raw octet of it.
#include <cstddef>
#include <cstdint>
#include <string>

#include "core/base/check.h"
#include "tests/conformance/probe/client_hello.h"
#include "tests/conformance/probe/ke_answer.h"
#include "tests/conformance/probe/ntp_answer.h"

namespace {

using namespace ntsd;  // NOLINT: as below
using namespace ntsd::conformance;

// Control characters are what a terminal obeys; octets beyond ASCII are our own "…" alone.
void CheckPrintable(const std::string& text) {
  for (const char c : text) CHECK(static_cast<unsigned char>(c) >= 0x20 && c != 0x7F);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView octets(data, size);
  const KeAnswerView records = KeAnswerView::Parse(octets);
  std::size_t record_size = records.rest_size;
  for (const KeAnswerRecord& record : records.records) record_size += kKeRecordHeaderSize + record.body.size();
  CHECK(record_size == size);
  CHECK(!records.IsGrant() || !records.IsAnyError());
  CheckPrintable(Describe(records));

  CheckPrintable(Describe(ReadServerFlight(octets)));

  if (std::optional<NtpAnswer> answer = Dissect(Octets(octets.begin(), octets.end()))) {
    Open(*answer, AssociationKeys());
    CHECK(!answer->is_authentic || answer->authenticator.has_value());
    CheckPrintable(Describe(*answer));
  }
  return 0;
}
