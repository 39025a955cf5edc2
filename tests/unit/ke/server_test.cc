#include "ke/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <set>

#include "tests/support/hex.h"
#include "tests/support/ke_front_end.h"

namespace ntsd::ke {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::FromHex;
using testing::FrontEnd;
using testing::RawClient;
using ::testing::StartsWith;

const std::string kHead =
    "800100020000"
    "80040002000f";
const std::string kRequest = kHead + "80000000";
const std::string kError1 = "80020002000180000000";
const std::size_t kAnswerSize = 12 + 8 * (4 + 100) + 4;

void ExpectServed(const std::string& answer) {
  EXPECT_THAT(answer, StartsWith(kHead + "00050064"));
  EXPECT_EQ(answer.size(), 2 * kAnswerSize);
}

// R-TLS-17, R-TLS-22: one TLS record, close_notify, and an orderly end.
TEST(KeServer, AnswersInOneRecordAndCloses) {
  FrontEnd front_end;
  RawClient client(front_end);
  ASSERT_TRUE(client.Handshake());
  ASSERT_TRUE(client.Send(FromHex(kRequest)));
  ExpectServed(client.ReadAll());
  EXPECT_EQ(client.record_count, 1U);
  EXPECT_TRUE(client.saw_close_notify);
  EXPECT_TRUE(client.saw_fin);
  EXPECT_FALSE(client.saw_reset);
}

// R-KE-43, R-CK-02, R-CK-04.
TEST(KeServer, CookiesDiffer) {
  FrontEnd front_end;
  std::set<std::string> cookies;
  for (int i = 0; i < 2; ++i) {
    const auto result = Query(front_end.Query());
    ASSERT_TRUE(result.has_value());
    for (const auto& cookie : result->grant.cookies) {
      EXPECT_EQ(cookie.size(), 100U);
      EXPECT_EQ(testing::ToHex(ByteView(cookie).first(4)), "0000a001");
      cookies.insert(testing::ToHex(cookie));
    }
  }
  EXPECT_EQ(cookies.size(), 16U);
}

// R-TLS-21: one TLS record an octet; and TCP segments of one octet each.
TEST(KeServer, TakesRequestsInSingleOctets) {
  FrontEnd front_end;
  const auto request = FromHex(kRequest);
  RawClient records(front_end);
  ASSERT_TRUE(records.Handshake());
  for (const std::uint8_t octet : request) ASSERT_TRUE(records.Send(ByteView(&octet, 1)));
  ExpectServed(records.ReadAll());

  RawClient segments(front_end);
  ASSERT_TRUE(segments.Handshake());
  ASSERT_TRUE(segments.Send(request, 1));
  ExpectServed(segments.ReadAll());
}

// R-KE-02, R-KE-03, in records of one octet: the dearest way to send it.
TEST(KeServer, TakesTheLargestRequestInSingleOctets) {
  FrontEnd front_end;
  std::vector<std::uint8_t> request(kKeRequestSizeMax);
  ByteWriter writer(request);
  writer.WriteBytes(FromHex(kHead));
  WriteKeRecord(writer, false, static_cast<KeRecordType>(0x4abc), std::vector<std::uint8_t>(request.size() - 20));
  WriteKeRecord(writer, true, KeRecordType::kEndOfMessage);
  ASSERT_EQ(writer.size(), request.size());
  RawClient client(front_end);
  ASSERT_TRUE(client.Handshake());
  for (const std::uint8_t octet : request) ASSERT_TRUE(client.tls().Write(ByteView(&octet, 1)));
  ASSERT_TRUE(client.Send({}));
  ExpectServed(client.ReadAll());
}

// R-TLS-18: the client has closed its direction before we answer, in TLS and in TCP.
TEST(KeServer, AnswersHalfClosedClients) {
  FrontEnd front_end;
  RawClient notified(front_end);
  ASSERT_TRUE(notified.Handshake());
  ASSERT_TRUE(notified.tls().Write(FromHex(kRequest)));
  ASSERT_TRUE(notified.SendCloseNotify());
  ExpectServed(notified.ReadAll());

  RawClient finished(front_end);
  ASSERT_TRUE(finished.Handshake());
  ASSERT_TRUE(finished.Send(FromHex(kRequest)));
  finished.HalfClose();
  ExpectServed(finished.ReadAll());

  RawClient incomplete(front_end);
  ASSERT_TRUE(incomplete.Handshake());
  ASSERT_TRUE(incomplete.Send(FromHex(kHead)));
  incomplete.HalfClose();
  EXPECT_EQ(incomplete.ReadAll(), kError1);
}

// R-TLS-19: octets of the client that come after the answer must not turn into a reset that destroys it.
TEST(KeServer, NoResetDestroysTheAnswer) {
  FrontEnd front_end;
  int open_count = 0;
  for (int i = 0; i < 50; ++i) {
    RawClient client(front_end);
    ASSERT_TRUE(client.Handshake());
    ASSERT_TRUE(client.Send(FromHex(kRequest)));
    ASSERT_TRUE(front_end.WaitForCount(ConnectionEnd::kServed, static_cast<std::uint64_t>(i) + 1));
    ASSERT_TRUE(client.SendCloseNotify());
    std::this_thread::sleep_for(i == 0 ? milliseconds(1000) : milliseconds(5));
    // After a reset, sending fails.
    if (client.SendRaw(FromHex("00"))) ++open_count;
    ExpectServed(client.ReadAll());
    EXPECT_FALSE(client.saw_reset);
  }
  // A machine under load may keep one or the other from speaking within the second that the server waits.
  EXPECT_GE(open_count, 40);
}

// R-TLS-20.
TEST(KeServer, AnswersOneRequestOnly) {
  FrontEnd front_end;
  RawClient client(front_end);
  ASSERT_TRUE(client.Handshake());
  ASSERT_TRUE(client.Send(FromHex(kRequest)));
  ASSERT_TRUE(front_end.WaitForCount(ConnectionEnd::kServed));
  ASSERT_TRUE(client.Send(FromHex(kRequest)));
  ExpectServed(client.ReadAll());
  EXPECT_TRUE(front_end.WaitUntilIdle());
  EXPECT_EQ(front_end.Count(ConnectionEnd::kServed), 1U);
}

TEST(KeServer, ManyClientsAtOnceOnTwoWorkers) {
  FrontEnd::Options options;
  options.server.worker_count = 2;
  FrontEnd front_end(std::move(options));
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 40; ++i) clients.push_back(std::make_unique<RawClient>(front_end));
  for (auto& client : clients) ASSERT_TRUE(client->Handshake());
  EXPECT_EQ(front_end.server().Read().active, 40U);
  for (auto& client : clients) ASSERT_TRUE(client->Send(FromHex(kRequest)));
  for (auto& client : clients) ExpectServed(client->ReadAll());
  clients.clear();
  EXPECT_TRUE(front_end.WaitUntilIdle());
  const Snapshot snapshot = front_end.server().Read();
  EXPECT_EQ(snapshot.ends[static_cast<std::size_t>(ConnectionEnd::kServed)], 40U);
  EXPECT_EQ(snapshot.aeads[0], 40U);
  std::uint64_t observed = 0;
  for (const std::uint64_t bucket : snapshot.seconds_buckets) observed += bucket;
  EXPECT_EQ(observed, 40U);
  EXPECT_GT(snapshot.seconds_sum, 0);
  EXPECT_GT(snapshot.cpu_seconds, 0);
}

// --- Certificates and policies that change ---

TEST(KeServer, NewConnectionsGetTheNewCertificate) {
  FrontEnd front_end;
  RawClient before(front_end);
  ASSERT_TRUE(before.Handshake());

  testing::LeafOptions renewed;
  renewed.common_name = "renewed";
  const auto context =
      TlsContext::Load(std::vector{front_end.authority().MakeLeaf("renewed", renewed)}, SystemClock().Now());
  ASSERT_TRUE(context.has_value());
  front_end.server().Use(0, *context);
  EXPECT_EQ(front_end.server().Context(0), *context);
  ASSERT_TRUE(testing::Eventually([&] {
    const auto result = Query(front_end.Query());
    return result.has_value() && result->certificate->subject == "CN = renewed";
  }));

  ASSERT_TRUE(before.Send(FromHex(kRequest)));
  ExpectServed(before.ReadAll());
  EXPECT_EQ(before.tls().PeerCertificate()->subject, "CN = a test");
}

TEST(KeServer, NewRequestsGetTheNewPolicy) {
  FrontEnd front_end;
  RawClient before(front_end);
  ASSERT_TRUE(before.Handshake());
  KePolicy policy;
  policy.ntp_port = 11123;
  front_end.server().Use(0, policy);
  ASSERT_TRUE(before.Send(FromHex(kRequest)));
  EXPECT_THAT(before.ReadAll(), StartsWith(kHead + "800700022b73"));
}

// --- Draining ---

TEST(KeServer, DrainsWhatHasBegun) {
  FrontEnd front_end;
  RawClient client(front_end);
  ASSERT_TRUE(client.Handshake());
  std::thread drain([&] { EXPECT_EQ(front_end.server().Drain(seconds(5)), 0U); });
  // The door is closed …
  EXPECT_TRUE(testing::Eventually([&] {
    const auto result = Query(front_end.Query());
    return !result.has_value() && result.error().step == ClientStep::kConnect;
  }));
  // … and who is in is served.
  EXPECT_TRUE(client.Send(FromHex(kRequest)));
  ExpectServed(client.ReadAll());
  client.HalfClose();
  drain.join();
  EXPECT_GE(front_end.Count(ConnectionEnd::kServed), 1U);
}

// --- Pools ---

class KePool : public ::testing::Test {
 protected:
  static FrontEnd::Options PoolOptions() {
    FrontEnd::Options options;
    options.settings.policy.pool_tokens = {"0123456789abcdef"};
    options.settings.max_kept_alive = 1;
    return options;
  }
  const std::string token_ =
      "000e0010"
      "30313233343536373839616263646566";
  const std::string lists_ = token_ +
                             "00080000"
                             "80090000"
                             "80000000";
  const std::string lists_answer_ =
      "00080000"
      "800900020000"
      "80000000";
  const std::string fixed_ = token_ + "00080000" + kHead + "800c0040" + std::string(128, '5') + "80000000";
};

TEST_F(KePool, AsksAgainOnTheSameConnectionAndGetsTheCurrentKey) {
  FrontEnd front_end(PoolOptions());
  RawClient client(front_end);
  ASSERT_TRUE(client.Handshake());
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(client.Send(FromHex(lists_)));
    EXPECT_EQ(client.ReadSome(14), lists_answer_);
  }
  ASSERT_TRUE(client.Send(FromHex(fixed_)));
  EXPECT_THAT(client.ReadSome(4 + kAnswerSize), StartsWith("00080000" + kHead + "000500640000a001"));

  MasterKey next;
  next.id = 0x0000A002;
  next.key.Assign(std::vector<std::uint8_t>(32, 7));
  front_end.ring().Publish(KeySet::Make(std::span(&next, 1), 0, 2, false));
  ASSERT_TRUE(client.Send(FromHex(fixed_)));
  EXPECT_THAT(client.ReadSome(4 + kAnswerSize), StartsWith("00080000" + kHead + "000500640000a002"));
  EXPECT_EQ(front_end.server().Read().pool_answers, 5U);
  EXPECT_EQ(front_end.server().Read().aeads[0], 2U);
}

// R-POOL-08 over the wire: never the keys of this connection's own TLS.
TEST_F(KePool, GetsNoExportedKeysAfterKeepAlive) {
  FrontEnd front_end(PoolOptions());
  RawClient client(front_end);
  ASSERT_TRUE(client.Handshake());
  ASSERT_TRUE(client.Send(FromHex(lists_)));
  ASSERT_EQ(client.ReadSome(14), lists_answer_);
  ASSERT_TRUE(client.Send(FromHex(kRequest)));
  EXPECT_EQ(client.ReadAll(), kError1);
}

TEST_F(KePool, RequestsMayComeTogether) {
  FrontEnd front_end(PoolOptions());
  RawClient client(front_end);
  ASSERT_TRUE(client.Handshake());
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(client.tls().Write(FromHex(lists_)));
  ASSERT_TRUE(client.Send(FromHex(kRequest)));
  EXPECT_EQ(client.ReadAll(), lists_answer_ + lists_answer_ + lists_answer_ + lists_answer_ + lists_answer_ + kError1);
}

TEST_F(KePool, KeepsNoMoreConnectionsThanItMay) {
  FrontEnd front_end(PoolOptions());
  auto first = std::make_unique<RawClient>(front_end);
  ASSERT_TRUE(first->Handshake());
  ASSERT_TRUE(first->Send(FromHex(lists_)));
  ASSERT_EQ(first->ReadSome(14), lists_answer_);
  RawClient second(front_end);
  ASSERT_TRUE(second.Handshake());
  ASSERT_TRUE(second.Send(FromHex(lists_)));
  EXPECT_EQ(second.ReadAll(),
            "800900020000"
            "80000000");
  EXPECT_TRUE(second.saw_close_notify);
  first.reset();
  ASSERT_TRUE(front_end.WaitForCount(ConnectionEnd::kClosedKeptAlive));
  RawClient third(front_end);
  ASSERT_TRUE(third.Handshake());
  ASSERT_TRUE(third.Send(FromHex(lists_)));
  EXPECT_EQ(third.ReadSome(14), lists_answer_);
}

TEST_F(KePool, IsLetGoAtTheDrain) {
  FrontEnd front_end(PoolOptions());
  RawClient client(front_end);
  ASSERT_TRUE(client.Handshake());
  ASSERT_TRUE(client.Send(FromHex(lists_)));
  ASSERT_EQ(client.ReadSome(14), lists_answer_);
  std::thread drain([&] { EXPECT_EQ(front_end.server().Drain(seconds(5)), 0U); });
  EXPECT_EQ(client.ReadAll(), "");
  EXPECT_TRUE(client.saw_close_notify);
  client.HalfClose();
  drain.join();
}

}  // namespace
}  // namespace ntsd::ke
