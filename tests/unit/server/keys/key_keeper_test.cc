#include "server/keys/key_keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/server/keys/keeper_fixture.h"

namespace ntsd {
namespace {

using std::chrono::hours;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using testing::FakeRandom;
using ::testing::HasSubstr;
using testing::KeyKeeperTest;
using testing::KeyWithId;
using ::testing::Not;
using testing::ReadFile;
using testing::RingOf;
using ::testing::SizeIs;
using testing::Text;
using testing::WriteFile;

// --- Starting ---

TEST_F(KeyKeeperTest, MakesKeysWhenThereAreNone) {
  const auto keeper = Keep();
  EXPECT_THAT(IdsInForce(*keeper), SizeIs(2));
  ExpectStored(*keeper);
  EXPECT_THAT(log_, ElementsAre(HasSubstr("made new keys")));
  EXPECT_EQ(keeper->ring().Current()->current().key.aead(), AeadId::kAesSivCmac256);
}

TEST_F(KeyKeeperTest, KeepsItsKeysOverARestart_R_CK_10) {
  auto keeper = Keep();
  ASSERT_TRUE(keeper->Rotate());
  const std::vector<KeyId> ids = IdsInForce(*keeper);
  const std::uint64_t fingerprint = keeper->Status().fingerprint;
  keeper.reset();
  keeper = Keep();
  EXPECT_EQ(IdsInForce(*keeper), ids);
  EXPECT_EQ(keeper->Status().fingerprint, fingerprint);
}

TEST_F(KeyKeeperTest, RefusesEveryFileThatIsNotItsOwnAndLeavesItUntouched) {
  const std::string good = Text(RingOf({11, 10}));
  FakeRandom random;
  const std::string files[] = {
      "",
      "hello\n",
      good.substr(0, good.size() / 2),
      good + "\n",
      std::string(std::string_view(WriteChronyKeys(RingOf({11, 10}), seconds(0), random).text)),
      "ntsd-keys 2\n",
      std::string(kKeyFileSizeMax + 1, 'x'),
  };
  for (const std::string& file : files) {
    WriteFile(path_, file);
    const auto keeper = TryKeep(path_);
    ASSERT_FALSE(keeper);
    EXPECT_THAT(keeper.error().text, HasSubstr(path_));
    EXPECT_THAT(keeper.error().text, Not(HasSubstr("\n")));
    EXPECT_EQ(ReadFile(path_), file);
  }
  WriteFile(path_, good, 0644);
  EXPECT_FALSE(TryKeep(path_));
  EXPECT_EQ(ReadFile(path_), good);
}

TEST_F(KeyKeeperTest, TwoKeepersOfOneFileAreOneTooMany) {
  const auto keeper = Keep();
  const auto second = TryKeep(path_);
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().text, HasSubstr("kept by another process"));
}

TEST_F(KeyKeeperTest, DoesNotStartWithoutStoringItsFirstKeys) {
  const auto keeper = TryKeep(directory_.File("missing/keys"));
  ASSERT_FALSE(keeper);
  EXPECT_THAT(keeper.error().text, HasSubstr("No such file or directory"));
}

// --- Rotating on time ---

TEST_F(KeyKeeperTest, RotatesAtThePeriodAndNotOneNanosecondBefore_R_CK_06) {
  const auto keeper = Keep();
  const std::vector<KeyId> before = IdsInForce(*keeper);
  clock_.Advance(hours(24) - nanoseconds(1));
  EXPECT_EQ(keeper->Tick(), nanoseconds(1));
  EXPECT_EQ(IdsInForce(*keeper), before);
  clock_.Advance(nanoseconds(1));
  keeper->Tick();
  // The future key, which everybody knows, seals; the one before opens; a new one is known in advance.
  EXPECT_EQ(Sealing(*keeper), before[0]);
  EXPECT_THAT(IdsInForce(*keeper), ElementsAre(before[0] + 1, before[0], before[1]));
  ExpectStored(*keeper);
  EXPECT_EQ(OnDisk().current_since, clock_.Now());
}

TEST_F(KeyKeeperTest, OldKeysOpenForExactlySoManyRotations_R_CK_07) {
  const auto keeper = Keep();
  const KeyId first = Sealing(*keeper);
  for (std::size_t rotation = 1; rotation <= 6; ++rotation) {
    clock_.Advance(hours(24));
    keeper->Tick();
    EXPECT_EQ(keeper->ring().Current()->Find(first) != nullptr, rotation <= policy_.keep);
  }
}

TEST_F(KeyKeeperTest, RotatesOnTimeAfterTheProcessWasDown) {
  auto keeper = Keep();
  const KeyId first = Sealing(*keeper);
  clock_.Advance(hours(20));
  keeper.reset();
  clock_.Advance(hours(3));
  keeper = Keep();
  EXPECT_EQ(keeper->Status().until_rotation, hours(1));
  EXPECT_EQ(Sealing(*keeper), first);
  keeper.reset();
  // Down over several periods: one rotation, at once, and the next at its old hour.
  clock_.Advance(hours(24 * 5 + 2));
  keeper = Keep();
  keeper->Tick();
  EXPECT_EQ(Sealing(*keeper), first + 1);
  EXPECT_EQ(keeper->Status().until_rotation, hours(23));
}

TEST_F(KeyKeeperTest, StepsOfTheWallClockDoNotRotate) {
  const auto keeper = Keep();
  const KeyId first = Sealing(*keeper);
  for (const Duration step : {Duration(hours(24 * 365 * 9)), Duration(-hours(24 * 365 * 20))}) {
    clock_.Step(step);
    clock_.Advance(hours(5));
    keeper->Tick();
    EXPECT_EQ(Sealing(*keeper), first);
  }
  clock_.Advance(hours(14));
  keeper->Tick();
  EXPECT_EQ(Sealing(*keeper), first + 1);
}

TEST_F(KeyKeeperTest, AFileFromTheFutureStartsAtAgeZeroAndIsCorrected) {
  StoredRing ring = RingOf({11, 10});
  ring.current_since = clock_.Now() + hours(1000);
  WriteFile(path_, Text(ring));
  // Restarted every 10 hours: it rotates all the same.
  for (int start = 0; start < 4; ++start) {
    const auto keeper = Keep();
    keeper->Tick();
    clock_.Advance(hours(10));
  }
  EXPECT_EQ(OnDisk().current().id, 11U);
  EXPECT_THAT(complaints_, ElementsAre(HasSubstr("newer than the clock")));
}

// A board without a clock of its own wakes up in 1970, and a broken one anywhere.
TEST_F(KeyKeeperTest, WhatIsStoredUnderAWrongClockCanBeReadAgain) {
  for (const UnixTime wrong : {UnixTime(hours(2)), UnixTime(seconds(7'500'000'000))}) {
    auto keeper = Keep();
    clock_.Advance(hours(20));
    clock_.Set(wrong);
    ASSERT_TRUE(keeper->Revoke(IdsInForce(*keeper)[0]));
    const std::vector<KeyId> ids = IdsInForce(*keeper);
    keeper.reset();
    const auto again = TryKeep(path_);
    ASSERT_TRUE(again) << again.error().text;
    EXPECT_EQ(IdsInForce(**again), ids);
  }
}

TEST_F(KeyKeeperTest, SaysWhatARestartWouldTakeWhenTheDirectoryCannotBeSynced) {
  class UnsyncedDirectory : public SystemFileOperations {
   public:
    int Sync(int fd) override {
      struct stat status {};
      if (!fails || Stat(fd, &status) != 0 || !S_ISDIR(status.st_mode)) return SystemFileOperations::Sync(fd);
      errno = EIO;
      return -1;
    }
    bool fails = false;
  } disk;
  const auto keeper =
      std::move(*KeyKeeper::Open(std::move(*OwnKeyFile::Open(path_, disk)), policy_, clock_, random_, Sink()));
  const std::vector<KeyId> before = IdsInForce(*keeper);
  disk.fails = true;
  const auto refused = keeper->Rotate();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().problem, KeyRequestProblem::kNotStored);
  EXPECT_THAT(refused.error().text, HasSubstr("the file holds the new ones, which a restart would take"));
  EXPECT_EQ(IdsInForce(*keeper), before);
  EXPECT_EQ(OnDisk().current().id, before[0]);

  disk.fails = false;
  EXPECT_TRUE(keeper->Rotate());
  ExpectStored(*keeper);
}

TEST_F(KeyKeeperTest, LooksAtTheClockOftenEnoughForSuspends) {
  const auto keeper = Keep();
  EXPECT_LE(keeper->Tick(), seconds(10));
}

TEST_F(KeyKeeperTest, DoesNotRotateWhatItCannotStoreAndTriesAgain) {
  const auto keeper = Keep();
  const std::vector<KeyId> before = IdsInForce(*keeper);
  WriteFile(path_, "somebody else's");
  clock_.Advance(hours(25));
  for (int i = 0; i < 5; ++i) {
    EXPECT_GT(keeper->Tick(), Duration::zero());
    EXPECT_EQ(IdsInForce(*keeper), before);
  }
  EXPECT_THAT(complaints_, ElementsAre(HasSubstr("changed by somebody else")));
  EXPECT_THAT(keeper->Status().trouble, HasSubstr("changed by somebody else"));
  EXPECT_EQ(keeper->Rotate().error().problem, KeyRequestProblem::kNotStored);
  EXPECT_EQ(keeper->RevokeAll().error().problem, KeyRequestProblem::kNotStored);
  EXPECT_EQ(IdsInForce(*keeper), before);
  EXPECT_EQ(ReadFile(path_), "somebody else's");

  std::filesystem::remove(path_);
  keeper->Tick();
  EXPECT_EQ(Sealing(*keeper), before[0]);
  ExpectStored(*keeper);
  EXPECT_EQ(keeper->Status().trouble, "");
  EXPECT_EQ(keeper->Status().until_rotation, hours(23));
}

// What is stored at the moment of each publication, seen by a source that asks for the ring when it stores.
TEST_F(KeyKeeperTest, TroubleEndsWithTheFirstChangeThatIsStored) {
  const auto keeper = Keep();
  const std::string good = ReadFile(path_);
  WriteFile(path_, "somebody else's");
  clock_.Advance(hours(24));
  keeper->Tick();
  ASSERT_NE(keeper->Status().trouble, "");
  WriteFile(path_, good);
  ASSERT_TRUE(keeper->Rotate());
  EXPECT_EQ(keeper->Status().trouble, "") << "it would be told until the next rotation, a day from now";
  EXPECT_THAT(log_, ::testing::Contains(HasSubstr("all is well again")));
}

TEST_F(KeyKeeperTest, NoKeySealsBeforeItIsStored_R_CK_10) {
  class Witness final : public KeySource {
   public:
    explicit Witness(std::unique_ptr<KeySource> inner) : inner_(std::move(inner)) {}
    bool IsFollowed() const override { return false; }
    std::string Name() const override { return inner_->Name(); }
    Expected<StoredRing, KeySourceError> Load() override { return inner_->Load(); }
    std::optional<KeySourceError> Store(const StoredRing& ring) override {
      if (keeper != nullptr) sealing_while_stored.push_back(Sealing(*keeper));
      currents_stored.push_back(ring.current().id);
      return inner_->Store(ring);
    }
    bool HasChanged() override { return false; }
    int ChangeDescriptor() const override { return -1; }

    KeyKeeper* keeper = nullptr;
    std::vector<KeyId> currents_stored;
    std::vector<KeyId> sealing_while_stored;

   private:
    std::unique_ptr<KeySource> inner_;
  };
  auto witness = std::make_unique<Witness>(std::move(*OwnKeyFile::Open(path_, files_)));
  Witness& seen = *witness;
  const auto keeper = std::move(*KeyKeeper::Open(std::move(witness), policy_, clock_, random_, Sink()));
  seen.keeper = keeper.get();
  ASSERT_TRUE(keeper->Rotate());
  ASSERT_TRUE(keeper->Revoke(Sealing(*keeper)));
  ASSERT_TRUE(keeper->RevokeAll());
  ASSERT_TRUE(keeper->Import(Text(RingOf({0x1003, 0x1002}))));
  clock_.Advance(hours(25));
  keeper->Tick();
  ASSERT_THAT(seen.currents_stored, SizeIs(6));
  // While the n-th current key is stored, the one before it still seals.
  for (std::size_t i = 0; i < seen.sealing_while_stored.size(); ++i) {
    EXPECT_EQ(seen.sealing_while_stored[i], seen.currents_stored[i]);
  }
  EXPECT_EQ(Sealing(*keeper), seen.currents_stored.back());
}

// --- Requests ---

TEST_F(KeyKeeperTest, RotatesOnRequestAndBeginsAWholePeriod) {
  const auto keeper = Keep();
  const KeyId first = Sealing(*keeper);
  clock_.Advance(hours(23));
  EXPECT_EQ(*keeper->Rotate(), first + 1);
  EXPECT_EQ(Sealing(*keeper), first + 1);
  ExpectStored(*keeper);
  EXPECT_EQ(keeper->Status().until_rotation, hours(24));
}

TEST_F(KeyKeeperTest, RevokesAtOnceAndForGood_R_CK_09) {
  auto keeper = Keep();
  ASSERT_TRUE(keeper->Rotate());
  const std::vector<KeyId> ids = IdsInForce(*keeper);  // future, current, past
  clock_.Advance(hours(7));
  EXPECT_EQ(*keeper->Revoke(ids[2]), ids[1]);
  EXPECT_EQ(keeper->Status().until_rotation, hours(17));
  EXPECT_EQ(*keeper->Revoke(ids[1]), ids[0]);
  EXPECT_EQ(keeper->Status().until_rotation, hours(24));
  for (const KeyId id : {ids[1], ids[2]}) EXPECT_EQ(keeper->ring().Current()->Find(id), nullptr);
  EXPECT_EQ(keeper->Revoke(ids[1]).error().problem, KeyRequestProblem::kAlreadyRevoked);
  EXPECT_EQ(keeper->Revoke(12345).error().problem, KeyRequestProblem::kUnknownId);
  ExpectStored(*keeper);
  keeper.reset();
  keeper = Keep();
  EXPECT_EQ(keeper->Status().revoked_count, 2U);
  EXPECT_EQ(keeper->Revoke(ids[2]).error().problem, KeyRequestProblem::kAlreadyRevoked);
}

TEST_F(KeyKeeperTest, RevokingAllLeavesNoOldKey_R_CK_09) {
  const auto keeper = Keep();
  ASSERT_TRUE(keeper->Rotate());
  const std::string backup = ReadFile(path_);
  const std::vector<KeyId> ids = IdsInForce(*keeper);
  const auto sealing = keeper->RevokeAll();
  ASSERT_TRUE(sealing);
  EXPECT_EQ(*sealing, Sealing(*keeper));
  for (const KeyId id : ids) EXPECT_EQ(keeper->ring().Current()->Find(id), nullptr);
  ExpectStored(*keeper);
  // Nor does the backup bring one back.
  EXPECT_EQ(keeper->Import(backup).error().problem, KeyRequestProblem::kCurrentKeyRevoked);
}

TEST_F(KeyKeeperTest, ImportsFilesOfBothFormats) {
  const auto keeper = Keep();
  const KeyId ours = Sealing(*keeper);
  ASSERT_TRUE(keeper->Import(Text(RingOf({0x1003, 0x1002, 0x1001}))));
  EXPECT_EQ(Sealing(*keeper), 0x1002U);
  EXPECT_NE(keeper->ring().Current()->Find(ours), nullptr);
  FakeRandom random;
  const StoredRing chrony = RingOf({0x2003, 0x2002, 0x2001, 0x2000}, {}, AeadId::kAes128GcmSiv);
  const auto report = keeper->Import(WriteChronyKeys(chrony, hours(20), random).text);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->format, KeyFileFormat::kChrony);
  EXPECT_EQ(Sealing(*keeper), 0x2002U);
  EXPECT_EQ(keeper->Status().until_rotation, hours(4));
  EXPECT_NE(keeper->ring().Current()->Find(ours), nullptr);
  ExpectStored(*keeper);
}

TEST_F(KeyKeeperTest, RefusesBadImportsWithoutAnyChange) {
  const auto keeper = Keep();
  ASSERT_TRUE(keeper->Import(Text(RingOf({11, 10, 9}))));
  const std::string before = ReadFile(path_);
  EXPECT_EQ(keeper->Import("").error().problem, KeyRequestProblem::kBadFile);
  EXPECT_EQ(keeper->Import(before.substr(1)).error().problem, KeyRequestProblem::kBadFile);
  StoredRing other = RingOf({11, 10, 9});
  other.keys[2] = KeyWithId(9, AeadId::kAesSivCmac256, 3);
  const auto conflict = keeper->Import(Text(other));
  ASSERT_FALSE(conflict);
  EXPECT_EQ(conflict.error().problem, KeyRequestProblem::kIdHasAnotherKey);
  EXPECT_THAT(conflict.error().text, HasSubstr("00000009"));
  EXPECT_EQ(ReadFile(path_), before);
}

TEST_F(KeyKeeperTest, ExportsWhatAnotherHostCanImport_R_CK_11) {
  const auto keeper = Keep();
  ASSERT_TRUE(keeper->Rotate());
  ASSERT_TRUE(keeper->Revoke(IdsInForce(*keeper)[2]));
  EXPECT_EQ(std::string_view(keeper->Export(KeyFileFormat::kNtsd).text), ReadFile(path_));
  clock_.Advance(seconds(90));
  const ExportedKeys chrony = keeper->Export(KeyFileFormat::kChrony);
  EXPECT_THAT(std::string(std::string_view(chrony.text)), ::testing::StartsWith("NKS0\n15 90.0\n"));
  EXPECT_EQ(chrony.filled_up, 2U);
  EXPECT_FALSE(chrony.needs_chrony_4_6);
}

TEST_F(KeyKeeperTest, TellsItsStatus) {
  const auto keeper = Keep();
  clock_.Advance(hours(2));
  ASSERT_TRUE(keeper->Rotate());
  clock_.Advance(hours(1));
  const KeyStatus status = keeper->Status();
  EXPECT_EQ(status.source, path_);
  EXPECT_FALSE(status.followed);
  ASSERT_THAT(status.keys, SizeIs(3));
  EXPECT_EQ(status.keys[0].state, KeyState::kFuture);
  EXPECT_EQ(status.keys[0].age, hours(1));
  EXPECT_EQ(status.keys[1].state, KeyState::kCurrent);
  EXPECT_EQ(status.keys[1].age, hours(3));
  EXPECT_EQ(status.keys[2].state, KeyState::kPast);
  EXPECT_EQ(status.keys[2].age_index, 1U);
  EXPECT_EQ(status.current_in_use, hours(1));
  EXPECT_EQ(status.until_rotation, hours(23));
  clock_.Step(-hours(100));
  EXPECT_EQ(keeper->Status().keys[0].age, Duration::zero());
}

TEST_F(KeyKeeperTest, WipesRetiredKeysAsSoonAsNobodyPinsThem_R_CK_08) {
  const auto keeper = Keep();
  KeyRing::Reader reader(keeper->ring());
  std::weak_ptr<const KeySet> old = keeper->ring().Current();
  {
    const KeyRing::Pin pin = reader.Acquire();
    ASSERT_TRUE(keeper->Rotate());
    EXPECT_LE(keeper->Tick(), std::chrono::milliseconds(1));
    EXPECT_EQ(keeper->Status().retired_sets, 1U);
    EXPECT_FALSE(old.expired());
  }
  EXPECT_GT(keeper->Tick(), seconds(1));
  EXPECT_TRUE(old.expired());
  EXPECT_EQ(keeper->Status().retired_sets, 0U);
}

TEST_F(KeyKeeperTest, NoLineOfTheLogHoldsAKey) {
  const auto keeper = Keep();
  ASSERT_TRUE(keeper->Rotate());
  ASSERT_TRUE(keeper->RevokeAll());
  (void)keeper->Import("NKS0\n15 1.0\n0000 000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F\n");
  WriteFile(path_, "0102030405060708090a0b0c0d0e0f");
  clock_.Advance(hours(30));
  keeper->Tick();
  for (const std::string& line : log_) EXPECT_THAT(line, Not(::testing::ContainsRegex("[0-9a-fA-F]{9}")));
}

}  // namespace
}  // namespace ntsd
