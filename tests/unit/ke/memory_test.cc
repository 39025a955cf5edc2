// Memory that is not there costs a connection, and never the server: each allocation of an exchange fails once.
#include <gtest/gtest.h>
#include <openssl/crypto.h>

#include <cstdlib>
#include <new>

#include "core/crypto/fast_random.h"
#include "ke/connection.h"
#include "tests/support/hex.h"
#include "tests/support/ke_front_end.h"

namespace {

// How many allocations succeed until one fails; negative: all do.
long allowance = -1;
bool has_failed = false;
bool fails_for_good = false;

bool MayAllocate() {
  if (allowance < 0) return true;
  if (allowance > 0) {
    --allowance;
    return true;
  }
  has_failed = true;
  if (!fails_for_good) allowance = -1;
  return false;
}

void* Allocate(std::size_t size) { return MayAllocate() ? std::malloc(size) : nullptr; }
void* AllocateForOpenssl(std::size_t size, const char* /*file*/, int /*line*/) { return Allocate(size); }
void* ReallocateForOpenssl(void* memory, std::size_t size, const char* /*file*/, int /*line*/) {
  return MayAllocate() ? std::realloc(memory, size) : nullptr;
}
void FreeForOpenssl(void* memory, const char* /*file*/, int /*line*/) { std::free(memory); }

// Before OpenSSL allocates anything.
const bool kIsInstalled = CRYPTO_set_mem_functions(AllocateForOpenssl, ReallocateForOpenssl, FreeForOpenssl) == 1;

}  // namespace

void* operator new(std::size_t size) {
  void* const memory = Allocate(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t /*size*/) noexcept { std::free(memory); }

namespace ntsd::ke {
namespace {

using testing::FromHex;

class ScarceMemory : public ::testing::TestWithParam<bool> {
 protected:
  struct Result {
    std::optional<ConnectionEnd> end;
    std::size_t answered = 0;  // octets of NTS-KE that the client got
  };

  void SetUp() override {
    ASSERT_TRUE(kIsInstalled);
    testing::LeafOptions leaf;
    // Longer than what a string holds without memory of its own.
    leaf.names = {"a-name-that-is-long-enough.example"};
    auto context = TlsContext::Load(std::vector{authority_.MakeLeaf("leaf", leaf)}, clock_.Now());
    ASSERT_TRUE(context);
    context_ = *context;
    auto client_context = TlsClientContext::Make({.ca_file = authority_.ca_file(), .verify = true});
    ASSERT_TRUE(client_context);
    client_context_ = *client_context;
  }

  // A whole exchange; the server's side has `allowed` allocations (negative: all it wants).
  Result Exchange(long allowed) {
    const auto client = TlsSession::Connect(client_context_, "a-name-that-is-long-enough.example");
    has_failed = false;
    left_ = allowed;
    Connection server;
    server.Open(std::nullopt);
    Result result;
    bool has_asked = false;
    // Ends: a handshake of TLS 1.3 and one request take three turns.
    for (int turn = 0; turn < 6 && !server.end(); ++turn) {
      if (client->Handshake() == TlsSession::Progress::kDone && !has_asked) {
        has_asked = client->Write(FromHex("80010002000080040002000f80000000"));
      }
      const std::vector<std::uint8_t> octets(client->outgoing().begin(), client->outgoing().end());
      client->Sent(octets.size());
      Scarcely([&] { server.Advance(octets, services_); });
      incoming_.assign(server.outgoing().begin(), server.outgoing().end());
      if (!incoming_.empty()) server.Sent(incoming_.size());
      client->Receive(incoming_);
    }
    std::array<std::uint8_t, 4096> buffer;
    if (has_asked) result.answered = client->Read(buffer).octets.size();
    result.end = server.end();
    return result;
  }

 private:
  // The client's side has all the memory it wants.
  template <typename Step>
  void Scarcely(Step step) {
    allowance = left_;
    step();
    left_ = has_failed && !fails_for_good ? -1 : allowance;
    allowance = -1;
  }

  testing::CertificateAuthority authority_;
  SystemClock clock_;
  std::shared_ptr<const TlsContext> context_;
  std::shared_ptr<const TlsClientContext> client_context_;
  KePolicy policy_;
  KeyRing ring_{testing::MakeTestKeys()};
  KeyRing::Reader reader_{ring_};
  FastRandom random_;
  const Services services_{context_, policy_, *SelectAead(), reader_, random_};
  std::vector<std::uint8_t> incoming_;
  long left_ = -1;
};

TEST_P(ScarceMemory, CostsTheConnectionAlone) {
  fails_for_good = GetParam();
  ASSERT_EQ(Exchange(-1).end, ConnectionEnd::kServed);
  long count = 0;
  std::size_t served = 0;
  std::size_t internal = 0;
  // Ends: when an exchange needs no more allocations than it may have.
  for (has_failed = true; has_failed; ++count) {
    const Result result = Exchange(count);
    if (!has_failed) break;
    ASSERT_TRUE(result.end.has_value() || result.answered == 0) << "allocation " << count;
    served += result.end == ConnectionEnd::kServed ? 1 : 0;
    internal += result.end == ConnectionEnd::kInternalError ? 1 : 0;
    EXPECT_EQ(result.end == ConnectionEnd::kServed, result.answered > 800) << "allocation " << count;
  }
  EXPECT_GT(count, 100) << "the allocators are not replaced";
  EXPECT_GT(internal, 0U);
  EXPECT_LT(served, static_cast<std::size_t>(count));
  // And with memory again, everything is as it was.
  EXPECT_EQ(Exchange(-1).end, ConnectionEnd::kServed);
  RecordProperty("allocations", static_cast<int>(count));
}

INSTANTIATE_TEST_SUITE_P(Once, ScarceMemory, ::testing::Values(false));
INSTANTIATE_TEST_SUITE_P(ForGood, ScarceMemory, ::testing::Values(true));

}  // namespace
}  // namespace ntsd::ke
