// Whatever a server answers, our client judges it without a crash, and believes only what was offered.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/base/check.h"
#include "core/nts/offer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ntsd;  // NOLINT: the fuzzer wants this function outside of all namespaces
  KeOffer offer;
  offer.aeads = {30, 15};
  KeMessage message(kKeAnswerSizeMax);
  message.Append(ByteView(data, size));
  const auto grant = ReadKeAnswer(message, offer);
  if (!grant) return 0;
  CHECK(std::find(offer.aeads.begin(), offer.aeads.end(), grant->aead) != offer.aeads.end());
  CHECK(!grant->cookies.empty());
  return 0;
}
