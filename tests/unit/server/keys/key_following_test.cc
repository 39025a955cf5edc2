#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/keys/key_keeper.h"
#include "tests/unit/server/keys/keeper_fixture.h"

namespace ntsd {
namespace {

using std::chrono::hours;
using ::testing::ElementsAre;
using testing::FakeRandom;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::ReadFile;
using testing::RingOf;
using testing::Text;
using testing::WriteFile;

using KeyFollowingTest = testing::KeyKeeperTest;

TEST_F(KeyFollowingTest, FollowsAnotherKeeperAcrossRotations_R_CK_11) {
  const auto keeper = Keep();
  const auto follower = Follow();
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(IdsInForce(*follower), IdsInForce(*keeper));
    EXPECT_EQ(follower->Status().fingerprint, keeper->Status().fingerprint);
    // The key that seals next is known to the follower before.
    const KeyId next = IdsInForce(*keeper)[0];
    EXPECT_NE(follower->ring().Current()->Find(next), nullptr);
    ASSERT_TRUE(keeper->Rotate());
    EXPECT_EQ(Sealing(*keeper), next);
    follower->Tick();
  }
  EXPECT_THAT(complaints_, IsEmpty());
}

TEST_F(KeyFollowingTest, TheFollowerLagsByAWholePeriodWithoutHarm_R_CK_15) {
  const auto keeper = Keep();
  const auto follower = Follow();
  ASSERT_TRUE(keeper->Rotate());
  // It did not read the file since: it opens what the other seals, and the other opens what it seals.
  EXPECT_NE(follower->ring().Current()->Find(Sealing(*keeper)), nullptr);
  EXPECT_NE(keeper->ring().Current()->Find(Sealing(*follower)), nullptr);
}

TEST_F(KeyFollowingTest, ABadFileKeepsTheOldKeysAndSaysWhyOnce) {
  const std::string good = Text(RingOf({11, 10, 9}));
  WriteFile(path_, good);
  const auto follower = Follow();
  log_.clear();
  WriteFile(path_, good.substr(0, 300));
  for (int i = 0; i < 5; ++i) follower->Tick();
  EXPECT_THAT(IdsInForce(*follower), ElementsAre(11, 10, 9));
  EXPECT_THAT(complaints_, ElementsAre(HasSubstr("the file was cut or edited; the keys that were read before stay")));
  EXPECT_EQ(follower->Reload()->problem, KeyRequestProblem::kNotLoaded);
  std::filesystem::remove(path_);
  for (int i = 0; i < 5; ++i) follower->Tick();
  EXPECT_THAT(complaints_, ElementsAre(HasSubstr("cut or edited"), HasSubstr("does not exist")));
  WriteFile(path_, Text(RingOf({12, 11, 10, 9})));
  follower->Tick();
  EXPECT_THAT(IdsInForce(*follower), ElementsAre(12, 11, 10, 9));
  EXPECT_EQ(follower->Status().trouble, "");
  EXPECT_THAT(log_.back(), HasSubstr("all is well again"));
}

TEST_F(KeyFollowingTest, FollowsChronysFileAndSealsWithItsCurrentKey) {
  FakeRandom random;
  const StoredRing first = RingOf({0x13, 0x22, 0x31, 0x40}, {}, AeadId::kAes128GcmSiv);
  WriteFile(path_, WriteChronyKeys(first, hours(1), random).text, 0640);
  const auto follower = Follow();
  EXPECT_THAT(IdsInForce(*follower), ElementsAre(0x13, 0x22, 0x31, 0x40));
  EXPECT_EQ(Sealing(*follower), 0x22U);
  EXPECT_EQ(follower->Status().until_rotation, std::nullopt);
  WriteFile(path_, WriteChronyKeys(RingOf({0x54, 0x13, 0x22, 0x31}, {}, AeadId::kAes128GcmSiv), hours(0), random).text,
            0640);
  follower->Tick();
  EXPECT_EQ(Sealing(*follower), 0x13U);
}

TEST_F(KeyFollowingTest, AFollowerChangesNothing) {
  const std::string text = Text(RingOf({11, 10, 9}));
  WriteFile(path_, text);
  const auto follower = Follow();
  EXPECT_EQ(follower->Rotate().error().problem, KeyRequestProblem::kFollowed);
  EXPECT_EQ(follower->Revoke(9).error().problem, KeyRequestProblem::kFollowed);
  EXPECT_EQ(follower->RevokeAll().error().problem, KeyRequestProblem::kFollowed);
  EXPECT_EQ(follower->Import(text).error().problem, KeyRequestProblem::kFollowed);
  clock_.Advance(hours(1000));
  follower->Tick();
  EXPECT_EQ(ReadFile(path_), text);
  EXPECT_THAT(IdsInForce(*follower), ElementsAre(11, 10, 9));
}

TEST_F(KeyFollowingTest, DoesNotStartWithoutTheFileThatItFollows) {
  const auto follower = TryFollow();
  ASSERT_FALSE(follower);
  EXPECT_THAT(follower.error().text, HasSubstr("does not exist"));
}

TEST_F(KeyFollowingTest, WarnsWhenNoKeyIsLeftOfTheRingBefore) {
  WriteFile(path_, Text(RingOf({11, 10, 9})));
  const auto follower = Follow();
  WriteFile(path_, Text(RingOf({0x1003, 0x1002})));
  follower->Tick();
  EXPECT_EQ(Sealing(*follower), 0x1002U);
  EXPECT_THAT(complaints_, ElementsAre(HasSubstr("two programs overwrite this file")));
}

TEST_F(KeyFollowingTest, RefusesKeysThatComeBackBecauseTwoProgramsWriteInTurn) {
  const auto one = [this](const StoredRing& ring) { WriteFile(path_, Text(ring)); };
  one(RingOf({11, 10, 9}));
  const auto follower = Follow();
  one(RingOf({0x1003, 0x1002}));
  follower->Tick();
  ASSERT_EQ(Sealing(*follower), 0x1002U) << "once may be an owner who revoked all keys";
  complaints_.clear();
  // The first writer rotates, and so puts its own ring back.
  one(RingOf({12, 11, 10, 9}));
  for (int i = 0; i < 3; ++i) follower->Tick();
  EXPECT_EQ(Sealing(*follower), 0x1002U);
  EXPECT_THAT(complaints_, ElementsAre(HasSubstr("two programs overwrite it in turn")));
  EXPECT_EQ(follower->Reload()->problem, KeyRequestProblem::kNotLoaded);
  EXPECT_THAT(follower->Status().trouble, HasSubstr("the keys in force stay"));
  // The second one goes on, and is followed.
  one(RingOf({0x1004, 0x1003, 0x1002}));
  follower->Tick();
  EXPECT_EQ(Sealing(*follower), 0x1003U);
  EXPECT_EQ(follower->Status().trouble, "");
  // A third ring that nobody has seen is taken, with a warning.
  one(RingOf({0x2003, 0x2002}));
  follower->Tick();
  EXPECT_EQ(Sealing(*follower), 0x2002U);
  // What was refused once is refused for as long as this process lives, and taken by the next one.
  one(RingOf({12, 11, 10, 9}));
  follower->Tick();
  EXPECT_EQ(Sealing(*follower), 0x2002U);
  EXPECT_EQ(Sealing(*Follow()), 11U);
}

TEST_F(KeyFollowingTest, RefusesChronysFileWhereAnNtsdKeepsItAsItsOwn) {
  FakeRandom random;
  auto keeper = Keep();
  WriteFile(path_, WriteChronyKeys(RingOf({0x13, 0x22, 0x31, 0x40}), hours(1), random).text);
  const auto refused = TryFollow();
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().text, HasSubstr("an ntsd keeps it as its own"));
  // The keeper itself leaves it alone as well.
  EXPECT_EQ(keeper->Rotate().error().problem, KeyRequestProblem::kNotStored);
  keeper.reset();
  EXPECT_TRUE(TryFollow()) << "nobody keeps it any more";
}

TEST_F(KeyFollowingTest, TheSameKeysInANewFileArePublishedOnce) {
  WriteFile(path_, Text(RingOf({11, 10, 9})));
  const auto follower = Follow();
  const std::uint64_t generation = follower->Status().generation;
  std::filesystem::remove(path_);
  WriteFile(path_, Text(RingOf({11, 10, 9})));
  follower->Tick();
  EXPECT_FALSE(follower->Reload());
  EXPECT_EQ(follower->Status().generation, generation);
}

TEST_F(KeyFollowingTest, TheWatchTellsOfAReplacedFileAndOfAnExchangedLink) {
  std::filesystem::create_directory(directory_.File("a"));
  std::filesystem::create_directory(directory_.File("b"));
  WriteFile(directory_.File("a/keys"), Text(RingOf({11, 10})));
  WriteFile(directory_.File("b/keys"), Text(RingOf({12, 11, 10})));
  std::filesystem::create_symlink("a", directory_.File("data"));
  std::filesystem::create_symlink("data/keys", path_);
  FollowedKeyFile source(path_, files_);
  ASSERT_GE(source.ChangeDescriptor(), 0);
  ASSERT_TRUE(source.Load());
  EXPECT_FALSE(source.HasChanged());
  std::filesystem::create_symlink("b", directory_.File("new"));
  std::filesystem::rename(directory_.File("new"), directory_.File("data"));
  EXPECT_TRUE(source.HasChanged());
  EXPECT_EQ(source.Load()->current().id, 11U);
  EXPECT_FALSE(source.HasChanged());
}

}  // namespace
}  // namespace ntsd
