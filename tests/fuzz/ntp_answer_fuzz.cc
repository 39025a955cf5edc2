// Whatever comes back from a server, our client judges it without a crash; noise is never authentic.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/base/check.h"
#include "core/nts/client.h"
#include "tests/support/fakes.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ntsd;  // NOLINT: the fuzzer wants this function outside of all namespaces
  testing::FakeRandom random;
  const ByteView answer(data, size);
  JudgePlainResponse(BuildPlainRequest(4, random), answer);

  NtsAssociation association;
  association.keys.s2c.fill(0x22);
  association.cookies.assign(1, Octets(100, 0x33));
  const auto request = BuildNtsRequest(association, *SelectAead(), random);
  CHECK(request.has_value());
  // The origin and the unique identifier of the request, so that judging comes as far as the authenticator.
  Octets matching(answer.begin(), answer.end());
  ByteWriter transmit(ByteSpan(matching).subspan(std::min<std::size_t>(24, size)));
  transmit.WriteU64(request->transmit.bits);
  if (size >= 52 + request->unique_id.size()) {
    std::copy(request->unique_id.begin(), request->unique_id.end(), matching.begin() + 52);
  }
  const ResponseFacts facts = JudgeNtsResponse(*request, matching, association, *SelectAead());
  CHECK(!facts.authenticated && facts.verdict != ResponseVerdict::kOk);
  return 0;
}
