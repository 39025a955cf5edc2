// The whole NTP side on a fake port, a fake clock and fake randomness: what a worker does with what arrives.
#include "server/udp/udp_worker.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <mutex>

#include "tests/support/packet_builder.h"
#include "tests/support/responder_fixture.h"

namespace ntsd {
namespace {

using testing::FakeClock;
using testing::FakeRandom;
using testing::PacketBuilder;

// Datagrams are put in and answers taken out by the test's thread.
class FakePort final : public UdpPort {
 public:
  explicit FakePort(const Clock& clock) : UdpPort(clock), clock_(clock) {}

  std::string Begin() override { return complaint; }
  std::span<Exchange> Receive(bool may_wait) override {
    std::unique_lock lock(mutex_);
    if (may_wait) changed_.wait(lock, [this] { return woken_ || !queue_.empty(); });
    woken_ = false;
    for (count_ = 0; count_ < kBatchSizeMax && !queue_.empty(); ++count_, queue_.pop_front()) {
      requests_[count_] = queue_.front();
      batch_[count_] = {.request = requests_[count_],
                        .reply = replies_[count_],
                        .source = testing::ResponderHarness::DefaultSource(),
                        .received = clock_.Now()};
    }
    return std::span(batch_).first(count_);
  }
  void Send(std::span<Exchange> group) override {
    const std::lock_guard lock(mutex_);
    group_sizes.push_back(group.size());
    for (const Exchange& exchange : group) {
      if (exchange.reply_size > 0)
        answers_.emplace_back(exchange.reply.begin(),
                              exchange.reply.begin() + static_cast<std::ptrdiff_t>(exchange.reply_size));
    }
    changed_.notify_all();
  }
  void Release() override { ++releases; }
  std::span<const Departure> Departures() override { return {}; }
  void Wake() override {
    const std::lock_guard lock(mutex_);
    woken_ = true;
    changed_.notify_all();
  }

  void Put(std::vector<Octets> datagrams) {
    const std::lock_guard lock(mutex_);
    for (Octets& datagram : datagrams) queue_.push_back(std::move(datagram));
    changed_.notify_all();
  }
  // As soon as there are `count` answers, or after five seconds.
  std::vector<Octets> TakeAnswers(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(5), [&] { return answers_.size() >= count; });
    return std::exchange(answers_, {});
  }

  std::string complaint;
  std::vector<std::size_t> group_sizes;
  std::size_t releases = 0;

 private:
  const Clock& clock_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool woken_ = false;
  std::deque<Octets> queue_;
  std::vector<Octets> answers_;
  std::array<Octets, kBatchSizeMax> requests_;
  std::array<std::array<std::uint8_t, kReplySizeMax>, kBatchSizeMax> replies_{};
  std::array<Exchange, kBatchSizeMax> batch_{};
  std::size_t count_ = 0;
};

class Worker : public ::testing::Test {
 protected:
  Worker() {
    auto port = std::make_unique<FakePort>(harness.clock);
    port_ = port.get();
    auto random = std::make_unique<FakeRandom>(7);
    auto responder = std::make_unique<Responder>(*SelectAead(), harness.ring, harness.state, harness.clock, *random,
                                                 std::vector<ListenerPolicy>{ListenerPolicy{}});
    worker = std::make_unique<UdpWorker>(std::move(port), std::move(random), std::move(responder), std::nullopt);
  }

  testing::ResponderHarness harness;
  FakePort* port_ = nullptr;
  std::unique_ptr<UdpWorker> worker;
};

TEST_F(Worker, AnswersPlainAndAuthenticatedRequestsInSmallGroups) {
  NtsAssociation association = harness.Associate(AeadId::kAesSivCmac256);
  std::vector<ClientRequest> requests;
  std::vector<Octets> datagrams;
  for (int i = 0; i < 8; ++i) {
    requests.push_back(*BuildNtsRequest(association, *SelectAead(), harness.random, 0));
    datagrams.push_back(requests.back().datagram);
  }
  // Enough that they are not sent one by one.
  datagrams.insert(datagrams.end(), kLoneSendBatchMax, PacketBuilder().Build());
  datagrams.push_back(Octets(7));
  port_->Put(datagrams);
  ASSERT_EQ(worker->Start(), "");
  const std::vector<Octets> answers = port_->TakeAnswers(8 + kLoneSendBatchMax);
  ASSERT_EQ(answers.size(), 8 + kLoneSendBatchMax);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    EXPECT_EQ(JudgeNtsResponse(requests[i], answers[i], association, *SelectAead()).verdict, ResponseVerdict::kOk);
  }
  EXPECT_EQ(answers[8].size(), 48U);
  worker->Stop();
  EXPECT_EQ(worker->counters().reasons.Read(static_cast<std::size_t>(Reason::kTooShort)), 1U);
  EXPECT_EQ(worker->counters().reasons.Read(static_cast<std::size_t>(Reason::kNts)), 8U);
  // All were there when it began.
  std::vector<std::size_t> groups(datagrams.size() / kSendGroupSizeMax, kSendGroupSizeMax);
  groups.push_back(datagrams.size() % kSendGroupSizeMax);
  EXPECT_EQ(port_->group_sizes, groups);
}

TEST_F(Worker, SendsSmallBatchesOneByOne) {
  port_->Put(std::vector<Octets>(kLoneSendBatchMax, PacketBuilder().Build()));
  ASSERT_EQ(worker->Start(), "");
  ASSERT_EQ(port_->TakeAnswers(kLoneSendBatchMax).size(), kLoneSendBatchMax);
  worker->Stop();
  EXPECT_EQ(port_->group_sizes, std::vector<std::size_t>(kLoneSendBatchMax, 1));
}

TEST_F(Worker, AnswersWhatIsStillQueuedWhenItIsStopped) {
  ASSERT_EQ(worker->Start(), "");
  port_->Put(std::vector<Octets>(300, PacketBuilder().Build()));
  worker->Stop();
  EXPECT_EQ(port_->TakeAnswers(300).size(), 300U);
  worker->Stop();  // a second time does nothing
}

TEST_F(Worker, GivesASignOfLife) {
  ASSERT_EQ(worker->Start(), "");
  const std::uint64_t ping = worker->Ping();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (worker->AnsweredPings() < ping && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  EXPECT_GE(worker->AnsweredPings(), ping);
}

TEST_F(Worker, SaysWhyItsEngineCannotRun) {
  port_->complaint = "no";
  EXPECT_EQ(worker->Start(), "no");
}

TEST_F(Worker, ServesOnThroughKeyRotations) {
  ASSERT_EQ(worker->Start(), "");
  NtsAssociation association = harness.Associate(AeadId::kAesSivCmac256);
  std::vector<MasterKey> keys{testing::MakeMasterKey(0x0000A001)};
  for (KeyId id = 1; id <= 20; ++id) {
    const auto request = BuildNtsRequest(association, *SelectAead(), harness.random);
    ASSERT_TRUE(request);
    port_->Put({request->datagram});
    const auto answers = port_->TakeAnswers(1);
    ASSERT_EQ(answers.size(), 1U);
    EXPECT_EQ(JudgeNtsResponse(*request, answers[0], association, *SelectAead()).verdict, ResponseVerdict::kOk) << id;
    keys.insert(keys.begin(), testing::MakeMasterKey(id, AeadId::kAesSivCmac256, static_cast<std::uint8_t>(id)));
    if (keys.size() > 9) keys.pop_back();  // the eight cookies of a client are eight polls old at most
    harness.Publish(keys);
  }
}

}  // namespace
}  // namespace ntsd
