#include "tests/conformance/probe/client_hello.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/fakes.h"
#include "tests/support/hex.h"

namespace ntsd::conformance {
namespace {

using testing::FakeRandom;

// The types of the extensions in a ClientHello, read by its lengths: they must all fit.
std::vector<std::uint16_t> ExtensionTypes(ByteView record) {
  ByteReader reader(record);
  const auto length_fits = [&] {
    const std::size_t size = reader.ReadU16();
    return size == reader.remaining();
  };
  reader.Skip(1 + 2);
  EXPECT_TRUE(length_fits());
  EXPECT_EQ(reader.ReadU16(), 0x0100);  // client_hello, and the first octet of its length
  EXPECT_TRUE(length_fits());
  reader.Skip(2 + 32);
  reader.Skip(reader.ReadU8());
  reader.Skip(reader.ReadU16());
  reader.Skip(reader.ReadU8());
  EXPECT_TRUE(length_fits());
  std::vector<std::uint16_t> types;
  while (reader.remaining() >= 4) {
    types.push_back(reader.ReadU16());
    reader.Skip(reader.ReadU16());
  }
  EXPECT_TRUE(reader.ok());
  EXPECT_EQ(reader.remaining(), 0U);
  return types;
}

TEST(ClientHello, HasEveryRequiredExtension) {
  FakeRandom random(1);
  EXPECT_EQ(ExtensionTypes(WriteClientHello({}, random)), (std::vector<std::uint16_t>{10, 13, 16, 43, 51}));
  EXPECT_EQ(ExtensionTypes(WriteClientHello({.server_name = "a.example"}, random)),
            (std::vector<std::uint16_t>{0, 10, 13, 16, 43, 51}));
}

TEST(ClientHello, LeavesOutWhatItIsToldTo) {
  FakeRandom random(1);
  const auto has = [&](const ClientHello& hello, std::uint16_t type) {
    const std::vector<std::uint16_t> types = ExtensionTypes(WriteClientHello(hello, random));
    return std::find(types.begin(), types.end(), type) != types.end();
  };
  EXPECT_FALSE(has({.omit_versions = true}, 43));
  EXPECT_FALSE(has({.omit_groups = true}, 10));
  EXPECT_FALSE(has({.omit_key_share = true}, 51));
  EXPECT_FALSE(has({.omit_signature_algorithms = true}, 13));
  EXPECT_TRUE(has({.key_share = false}, 51));
}

TEST(ServerFlight, ReadsAlertsAndHellos) {
  EXPECT_EQ(ReadServerFlight(Octets{21, 3, 3, 0, 2, 2, 109}).alert, 109);
  EXPECT_FALSE(ReadServerFlight({}).alert.has_value());

  Octets hello{22, 3, 3, 0, 40, 2, 0, 0, 36, 3, 3};
  hello.resize(5 + 40);
  EXPECT_TRUE(ReadServerFlight(hello).server_hello);
  EXPECT_FALSE(ReadServerFlight(hello).WentOn());
  Octets more = hello;
  const Octets encrypted{23, 3, 3, 0, 200};
  more.insert(more.end(), encrypted.begin(), encrypted.end());
  more.resize(more.size() + 200);
  EXPECT_TRUE(ReadServerFlight(more).WentOn());

  const Octets retry_random = testing::FromHex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c");
  std::copy(retry_random.begin(), retry_random.end(), hello.begin() + 11);
  EXPECT_TRUE(ReadServerFlight(hello).hello_retry_request);
  EXPECT_FALSE(ReadServerFlight(hello).server_hello);
}

TEST(ServerFlight, SurvivesEveryTruncation) {
  Octets stream{22, 3, 3, 0, 40, 2, 0, 0, 36, 3, 3};
  stream.resize(5 + 40);
  for (std::size_t size = 0; size < stream.size(); ++size) {
    EXPECT_FALSE(ReadServerFlight(ByteView(stream).first(size)).WentOn()) << size;
  }
}

}  // namespace
}  // namespace ntsd::conformance
