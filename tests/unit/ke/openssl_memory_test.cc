// OpenSSL's memory from the threads' lists: pieces hold what they should, come back, and may change their thread.
#include "ke/openssl_memory.h"

#include <gtest/gtest.h>
#include <openssl/crypto.h>

#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

#include "core/crypto/fast_random.h"
#include "ke/connection.h"
#include "tests/support/hex.h"
#include "tests/support/ke_front_end.h"

namespace ntsd::ke {
namespace {

using testing::FromHex;

// Before OpenSSL allocates anything.
const bool kIsInstalled = UseOpensslMemory();

constexpr std::size_t kSizeTriedMax = 40 * 1024;  // above the largest that is kept

TEST(OpensslMemory, IsInUse) {
  ASSERT_TRUE(kIsInstalled);
  void* const piece = OPENSSL_malloc(100);
  const std::size_t before = KeptOpensslPieces();
  OPENSSL_free(piece);
  EXPECT_EQ(KeptOpensslPieces(), before + 1);
  EXPECT_EQ(OPENSSL_malloc(100), piece);
  EXPECT_EQ(KeptOpensslPieces(), before);
  OPENSSL_free(piece);
}

TEST(OpensslMemory, EverySizeHoldsWhatWasAskedFor) {
  // Two at a time, so that a piece too small would run into its neighbour or its header.
  for (std::size_t size = 1; size < kSizeTriedMax; size += size < 2048 ? 1 : 97) {
    auto* const one = static_cast<std::uint8_t*>(OPENSSL_malloc(size));
    auto* const other = static_cast<std::uint8_t*>(OPENSSL_malloc(size));
    ASSERT_TRUE(one != nullptr && other != nullptr && one != other);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(one) % 16, 0U);
    std::memset(one, 0xAA, size);
    std::memset(other, 0x55, size);
    EXPECT_EQ(std::vector(one, one + size), std::vector<std::uint8_t>(size, 0xAA));
    OPENSSL_free(one);
    EXPECT_EQ(std::vector(other, other + size), std::vector<std::uint8_t>(size, 0x55));
    OPENSSL_free(other);
  }
}

TEST(OpensslMemory, KeepsWhatItHeldWhenItGrowsOrShrinks) {
  std::vector<std::uint8_t> expected;
  std::uint8_t* memory = nullptr;
  for (std::size_t size = 1; size < kSizeTriedMax; size = size * 5 / 4 + 1) {
    memory = static_cast<std::uint8_t*>(OPENSSL_realloc(memory, size));
    ASSERT_NE(memory, nullptr);
    while (expected.size() < size) {
      memory[expected.size()] = static_cast<std::uint8_t>(expected.size() * 7);
      expected.push_back(memory[expected.size()]);
    }
    ASSERT_EQ(std::vector(memory, memory + size), expected) << size;
  }
  memory = static_cast<std::uint8_t*>(OPENSSL_realloc(memory, 10));
  EXPECT_EQ(std::vector(memory, memory + 10), std::vector(expected.begin(), expected.begin() + 10));
  EXPECT_EQ(OPENSSL_realloc(memory, 0), nullptr);
}

TEST(OpensslMemory, RefusesWhatCannotBe) {
  EXPECT_EQ(OPENSSL_malloc(SIZE_MAX), nullptr);
  EXPECT_EQ(OPENSSL_malloc(SIZE_MAX - 15), nullptr);
}

TEST(OpensslMemory, KeepsNoMoreThanItsBound) {
  constexpr std::size_t kSize = 1000;
  std::vector<void*> pieces(10 * kKeptOctetsMax / kSize);
  for (void*& piece : pieces) piece = OPENSSL_malloc(kSize);
  const std::size_t before = KeptOpensslPieces();
  for (void* const piece : pieces) OPENSSL_free(piece);
  EXPECT_GT(KeptOpensslPieces(), before + kKeptPiecesMin);
  EXPECT_LE(KeptOpensslPieces(), before + kKeptOctetsMax / kSize);
}

TEST(OpensslMemory, GoesOverToTheThreadThatGivesItBack) {
  void* piece = OPENSSL_malloc(200);
  std::thread([piece] {
    EXPECT_EQ(KeptOpensslPieces(), 0U);
    OPENSSL_free(piece);
    EXPECT_EQ(KeptOpensslPieces(), 1U);
    EXPECT_EQ(OPENSSL_malloc(200), piece);
    EXPECT_EQ(KeptOpensslPieces(), 0U);
  }).join();
  OPENSSL_free(piece);  // its thread has ended; the piece has not
}

// What OpenSSL wipes is wiped before it is kept.
TEST(OpensslMemory, IsGivenOutAgainWithoutItsSecret) {
  auto* const secret = static_cast<std::uint8_t*>(OPENSSL_malloc(64));
  std::memset(secret, 0xEE, 64);
  OPENSSL_clear_free(secret, 64);
  auto* const again = static_cast<std::uint8_t*>(OPENSSL_malloc(64));
  ASSERT_EQ(again, secret);
  EXPECT_EQ(std::vector(again, again + 64), std::vector<std::uint8_t>(64, 0));
  OPENSSL_free(again);
}

// Sessions of several threads share a context, whose parts are counted and freed by whoever is last.
TEST(OpensslMemory, ServesHandshakesOfSeveralThreads) {
  testing::CertificateAuthority authority;
  SystemClock clock;
  auto context = TlsContext::Load(std::vector{authority.MakeLeaf("leaf", {})}, clock.Now());
  ASSERT_TRUE(context);
  const auto client_context = TlsClientContext::Make({.ca_file = {}, .verify = false});
  ASSERT_TRUE(client_context);
  KeyRing ring{testing::MakeTestKeys()};
  const auto exchange = [&, tls = *context](KeyRing::Reader& reader) {
    const KePolicy policy;
    FastRandom random;
    const Services services{tls, policy, *SelectAead(), reader, random};
    const auto client = TlsSession::Connect(*client_context, {});
    Connection server;
    server.Open(std::nullopt);
    std::vector<std::uint8_t> incoming;
    bool has_asked = false;
    for (int turn = 0; turn < 6 && !server.end(); ++turn) {
      if (client->Handshake() == TlsSession::Progress::kDone && !has_asked) {
        has_asked = client->Write(FromHex("80010002000080040002000f80000000"));
      }
      const std::vector<std::uint8_t> octets(client->outgoing().begin(), client->outgoing().end());
      client->Sent(octets.size());
      server.Advance(octets, services);
      incoming.assign(server.outgoing().begin(), server.outgoing().end());
      if (!incoming.empty()) server.Sent(incoming.size());
      client->Receive(incoming);
    }
    return server.end();
  };
  KeyRing::Reader first(ring);
  KeyRing::Reader second(ring);
  context = Unexpected(std::string());  // the threads hold what is left
  const auto run = [&exchange](KeyRing::Reader& reader) {
    for (int i = 0; i < 20; ++i) EXPECT_EQ(exchange(reader), ConnectionEnd::kServed);
    EXPECT_GT(KeptOpensslPieces(), 100U);
  };
  std::thread one(run, std::ref(first));
  std::thread other(run, std::ref(second));
  one.join();
  other.join();
}

}  // namespace
}  // namespace ntsd::ke
