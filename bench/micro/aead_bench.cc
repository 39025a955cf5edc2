// What the cryptography of one NTS request costs, in batches: open the cookie, verify the request, seal a new cookie,
// seal the reply. One iteration is a batch; `per_request` is what a request of it takes.
#include <benchmark/benchmark.h>
#include <nettle/siv-cmac.h>

#include <algorithm>
#include <deque>
#include <string>
#include <vector>

#include "core/base/check.h"
#include "core/crypto/aead.h"
#include "core/crypto/fast_random.h"
#include "core/crypto/prepared_key.h"

namespace ntsd {
namespace {

constexpr std::size_t kReplyDataSize = 84;  // header and unique identifier

// One request of a client and the answer to it, as octets in memory.
struct Exchange {
  std::array<std::uint8_t, kAeadKeySizeMax> c2s, s2c;
  std::array<std::uint8_t, 2 * kAeadKeySizeMax> keys;  // what the cookie carries, then what it opened to
  std::array<std::uint8_t, 512> request, reply;
  std::array<std::uint8_t, 200> cookie, new_cookie;
  std::array<std::uint8_t, 16> nonces[4];
  std::array<std::uint8_t, 16> authenticator;
};

// A batch of requests of clients of `client`, whose cookies are sealed under a master key of AEAD 15.
class Batch {
 public:
  Batch(const Aead& aead, AeadId client, std::size_t size)
      : aead_(aead), client_(client), master_(AeadId::kAesSivCmac256, MasterOctets()), exchanges_(size) {
    FastRandom random;
    for (Exchange& exchange : exchanges_) {
      random.Fill({reinterpret_cast<std::uint8_t*>(&exchange), sizeof(exchange)});
      std::copy_n(exchange.c2s.begin(), key_size(), exchange.keys.begin());
      std::copy_n(exchange.s2c.begin(), key_size(), exchange.keys.begin() + static_cast<long>(key_size()));
    }
    Prepare();
    std::vector<SealJob> cookies, requests;
    for (Exchange& e : exchanges_) {
      cookies.push_back({.aead = AeadId::kAesSivCmac256,
                         .key = {.prepared = &master_},
                         .associated_data = {},
                         .nonce = e.nonces[0],
                         .plaintext = {e.keys.data(), 2 * key_size()},
                         .sealed = e.cookie.data()});
      requests.push_back({.aead = client_,
                          .key = {.raw = e.c2s.data()},
                          .associated_data = RequestData(e),
                          .nonce = Nonce(e, 1),
                          .plaintext = {},
                          .sealed = e.authenticator.data()});
    }
    aead_.Seal(cookies);
    aead_.Seal(requests);
  }
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  // The four steps of the server.
  void OpenCookies() { aead_.Open(open_cookies_); }
  void Verify() { aead_.Open(verify_); }
  void SealCookies() { aead_.Seal(seal_cookies_); }
  void SealReplies() { aead_.Seal(seal_replies_); }
  void Check() const {
    for (const OpenJob& job : open_cookies_) CHECK(job.ok);
    for (const OpenJob& job : verify_) CHECK(job.ok);
  }
  void Forge() {
    for (Exchange& exchange : exchanges_) exchange.cookie[0] ^= 1;
  }

  std::size_t key_size() const { return AeadKeySize(client_); }
  std::size_t cookie_size() const { return kAeadTagSize + 2 * key_size(); }
  const PreparedKey& master() const { return master_; }
  std::vector<Exchange>& exchanges() { return exchanges_; }
  // Header, unique identifier, and the cookie with its field header and its id and nonce.
  ByteView RequestData(const Exchange& e) const {
    return {e.request.data(), kReplyDataSize + 4 + 4 + 16 + cookie_size()};
  }
  std::size_t reply_text_size() const { return 4 + 4 + 16 + cookie_size(); }
  ByteView Nonce(const Exchange& e, std::size_t i) const { return {e.nonces[i].data(), AeadNonceSize(client_)}; }

 private:
  static ByteView MasterOctets() {
    static const std::array<std::uint8_t, 32> kOctets = {1, 2, 3, 4, 5};
    return kOctets;
  }
  void Prepare() {
    for (Exchange& e : exchanges_) {
      open_cookies_.push_back({.aead = AeadId::kAesSivCmac256,
                               .key = {.prepared = &master_},
                               .associated_data = {},
                               .nonce = e.nonces[0],
                               .sealed = {e.cookie.data(), cookie_size()},
                               .plaintext = e.keys.data()});
      verify_.push_back({.aead = client_,
                         .key = {.raw = e.keys.data()},
                         .associated_data = RequestData(e),
                         .nonce = Nonce(e, 1),
                         .sealed = e.authenticator,
                         .plaintext = nullptr});
      seal_cookies_.push_back({.aead = AeadId::kAesSivCmac256,
                               .key = {.prepared = &master_},
                               .associated_data = {},
                               .nonce = e.nonces[2],
                               .plaintext = {e.keys.data(), 2 * key_size()},
                               .sealed = e.new_cookie.data()});
      std::uint8_t* const sealed = e.reply.data() + kReplyDataSize + 24;
      seal_replies_.push_back({.aead = client_,
                               .key = {.raw = e.keys.data() + key_size()},
                               .associated_data = {e.reply.data(), kReplyDataSize},
                               .nonce = Nonce(e, 3),
                               .plaintext = {sealed + AeadPlaintextOffset(client_), reply_text_size()},
                               .sealed = sealed});
    }
  }

  const Aead& aead_;
  AeadId client_;
  PreparedKey master_;
  std::vector<Exchange> exchanges_;
  std::vector<OpenJob> open_cookies_, verify_;
  std::vector<SealJob> seal_cookies_, seal_replies_;
};

void CountRequests(benchmark::State& state, std::size_t batch_size) {
  state.counters["per_request"] = benchmark::Counter(
      static_cast<double>(batch_size), benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

using Step = void (*)(Batch&);
void WholeRequest(Batch& batch) {
  batch.OpenCookies();
  batch.Verify();
  batch.SealCookies();
  batch.SealReplies();
}

void RunSteps(benchmark::State& state, const Aead& aead, AeadId client, std::size_t size, Step step) {
  Batch batch(aead, client, size);
  WholeRequest(batch);
  batch.Check();
  for (auto _ : state) {
    step(batch);
    benchmark::ClobberMemory();
  }
  CountRequests(state, size);
}

void RunForged(benchmark::State& state, const Aead& aead, std::size_t size) {
  Batch batch(aead, AeadId::kAesSivCmac256, size);
  batch.Forge();
  for (auto _ : state) {
    batch.OpenCookies();
    benchmark::ClobberMemory();
  }
  CountRequests(state, size);
}

// The same four steps with nettle, one message after the other: what chrony does.
void RunNettle(benchmark::State& state) {
  Batch batch(*SelectAead("portable"), AeadId::kAesSivCmac256, 64);
  siv_cmac_aes128_ctx master;
  siv_cmac_aes128_set_key(&master, batch.master().key().data());
  for (auto _ : state) {
    for (Exchange& e : batch.exchanges()) {
      siv_cmac_aes128_ctx c2s, s2c;
      int ok = siv_cmac_aes128_decrypt_message(&master, 16, e.nonces[0].data(), 0, nullptr, 64, e.keys.data(),
                                               e.cookie.data());
      siv_cmac_aes128_set_key(&c2s, e.keys.data());
      const ByteView data = batch.RequestData(e);
      ok &= siv_cmac_aes128_decrypt_message(&c2s, 16, e.nonces[1].data(), data.size(), data.data(), 0, nullptr,
                                            e.authenticator.data());
      CHECK(ok == 1);
      siv_cmac_aes128_encrypt_message(&master, 16, e.nonces[2].data(), 0, nullptr, 80, e.new_cookie.data(),
                                      e.keys.data());
      siv_cmac_aes128_set_key(&s2c, e.keys.data() + 32);
      std::uint8_t* const sealed = e.reply.data() + kReplyDataSize + 24;
      siv_cmac_aes128_encrypt_message(&s2c, 16, e.nonces[3].data(), kReplyDataSize, e.reply.data(), 120, sealed,
                                      e.reply.data() + 300);
    }
  }
  CountRequests(state, batch.exchanges().size());
}

void RunNonces(benchmark::State& state) {
  FastRandom random;
  std::array<std::uint8_t, 16> nonce;
  for (auto _ : state) {
    random.Fill(nonce);
    benchmark::DoNotOptimize(nonce);
  }
}

void RegisterAll() {
  for (const Aead* aead : AvailableAeads()) {
    const std::string name(aead->Name());
    for (const AeadId client : {AeadId::kAesSivCmac256, AeadId::kAesSivCmac512, AeadId::kAes128GcmSiv}) {
      for (const std::size_t size : {1U, 4U, 8U, 12U, 16U, 32U, 64U}) {
        const std::string suffix = name + "/aead" + std::to_string(AeadNumber(client)) + "/" + std::to_string(size);
        const auto add = [&](const char* what, Step step) {
          benchmark::RegisterBenchmark((what + suffix).c_str(),
                                       [=](benchmark::State& state) { RunSteps(state, *aead, client, size, step); });
        };
        add("request/", WholeRequest);
        add("open_cookie/", [](Batch& batch) { batch.OpenCookies(); });
        add("verify/", [](Batch& batch) { batch.Verify(); });
        add("seal_cookie/", [](Batch& batch) { batch.SealCookies(); });
        add("seal_reply/", [](Batch& batch) { batch.SealReplies(); });
      }
    }
    for (const std::size_t size : {1U, 8U, 64U}) {
      benchmark::RegisterBenchmark(("forged_cookie/" + name + "/" + std::to_string(size)).c_str(),
                                   [=](benchmark::State& state) { RunForged(state, *aead, size); });
    }
  }
  benchmark::RegisterBenchmark("request/nettle/aead15", RunNettle);
  benchmark::RegisterBenchmark("nonce", RunNonces);
}

}  // namespace
}  // namespace ntsd

int main(int argc, char** argv) {
  ntsd::RegisterAll();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
