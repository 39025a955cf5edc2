#include "server/keys/key_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/server/keys/fake_disk.h"
#include "tests/unit/server/keys/temporary_directory.h"

namespace ntsd {
namespace {

using testing::FakeDisk;
using testing::FakeRandom;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::ReadFile;
using testing::TemporaryDirectory;
using testing::WriteFile;

class KeyStoreTest : public ::testing::Test {
 protected:
  std::string ErrorOfReading(KeySourceProblem problem) {
    const auto text = store_.Read();
    EXPECT_FALSE(text);
    if (text) return "";
    EXPECT_EQ(text.error().problem, problem) << text.error().text;
    EXPECT_THAT(text.error().text, HasSubstr(path_));
    EXPECT_THAT(text.error().text, Not(HasSubstr("\n")));
    return text.error().text;
  }

  TemporaryDirectory directory_;
  SystemFileOperations files_;
  const std::string path_ = directory_.File("keys");
  KeyStore store_{path_, KeyFileOwnership::kOurs, files_};
  KeyStore followed_{path_, KeyFileOwnership::kTheirs, files_};
};

TEST_F(KeyStoreTest, ReadsBackWhatItWroteWithMode0600_R_CK_10) {
  const mode_t umask_before = ::umask(0);
  EXPECT_FALSE(store_.Replace("one"));
  EXPECT_FALSE(store_.Replace("another"));
  ::umask(umask_before);
  struct stat status {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0600U);
  const auto text = store_.Read();
  ASSERT_TRUE(text);
  EXPECT_EQ(std::string_view(text->text), "another");
  EXPECT_FALSE(std::filesystem::exists(path_ + ".new"));
}

TEST_F(KeyStoreTest, TellsWhenTheFileWasWritten) {
  WriteFile(path_, "text");
  const timespec times[] = {{0, 0}, {1'767'225'600, 5}};
  ASSERT_EQ(::utimensat(AT_FDCWD, path_.c_str(), times, 0), 0);
  EXPECT_EQ(store_.Read()->written, UnixTime(std::chrono::nanoseconds(1'767'225'600'000'000'005)));
}

TEST_F(KeyStoreTest, SaysThatNothingIsThere) { ErrorOfReading(KeySourceProblem::kMissing); }

TEST_F(KeyStoreTest, RefusesAFileThatOthersMayRead) {
  for (const mode_t mode : {0640U, 0604U, 0660U, 0644U, 0610U, 0601U}) {
    WriteFile(path_, "text", mode);
    EXPECT_THAT(ErrorOfReading(KeySourceProblem::kTooOpen), HasSubstr("chmod it to 0600"));
  }
  WriteFile(path_, "text", 0400);
  EXPECT_TRUE(store_.Read());
}

TEST_F(KeyStoreTest, AFollowedFileMayBeReadByItsGroupAndWrittenByItsOwnerOnly) {
  for (const mode_t mode : {0600U, 0640U, 0440U}) {
    WriteFile(path_, "text", mode);
    EXPECT_TRUE(followed_.Read());
  }
  for (const mode_t mode : {0660U, 0644U, 0602U, 0620U}) {
    WriteFile(path_, "text", mode);
    const auto text = followed_.Read();
    ASSERT_FALSE(text);
    EXPECT_EQ(text.error().problem, KeySourceProblem::kTooOpen);
  }
}

TEST_F(KeyStoreTest, RefusesAFileOfAnotherUser) {
  class OtherUser : public SystemFileOperations {
    uid_t EffectiveUser() override { return ::geteuid() + 1; }
  } files;
  KeyStore store(path_, KeyFileOwnership::kOurs, files);
  WriteFile(path_, "text");
  const auto text = store.Read();
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().problem, KeySourceProblem::kWrongOwner);
  EXPECT_THAT(text.error().text, HasSubstr("chown"));
  EXPECT_TRUE(KeyStore(path_, KeyFileOwnership::kTheirs, files).Read());
}

TEST_F(KeyStoreTest, RefusesWhatIsNoOrdinaryFile) {
  ASSERT_EQ(::mkdir(path_.c_str(), 0700), 0);
  ErrorOfReading(KeySourceProblem::kNotAFile);
  ASSERT_EQ(::rmdir(path_.c_str()), 0);
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  ErrorOfReading(KeySourceProblem::kNotAFile);
}

TEST_F(KeyStoreTest, RefusesALinkInPlaceOfOurFileAndFollowsOneToTheirs) {
  WriteFile(directory_.File("real"), "text");
  ASSERT_EQ(::symlink(directory_.File("real").c_str(), path_.c_str()), 0);
  EXPECT_THAT(ErrorOfReading(KeySourceProblem::kNotAFile), HasSubstr("is a link"));
  EXPECT_TRUE(store_.Replace("new"));
  EXPECT_EQ(ReadFile(directory_.File("real")), "text");
  EXPECT_TRUE(followed_.Read());
  EXPECT_FALSE(followed_.LooksChanged());
}

TEST_F(KeyStoreTest, ReadsNoMoreThanTheBound) {
  WriteFile(path_, std::string(3 * kKeyFileSizeMax, 'x'));
  EXPECT_EQ(store_.Read()->text.size(), kKeyFileSizeMax + 1);
}

TEST_F(KeyStoreTest, NeverOverwritesAFileThatItDidNotRead) {
  WriteFile(path_, "foreign");
  const auto error = store_.Replace("ours");
  ASSERT_TRUE(error);
  EXPECT_EQ(error->problem, KeySourceProblem::kChangedByOthers);
  EXPECT_EQ(ReadFile(path_), "foreign");
}

TEST_F(KeyStoreTest, NeverOverwritesAFileThatCannotBeRead) {
  class Unreadable : public SystemFileOperations {
    ssize_t Read(int /*fd*/, ByteSpan /*target*/) override {
      errno = EIO;
      return -1;
    }
  } files;
  KeyStore store(path_, KeyFileOwnership::kOurs, files);
  WriteFile(path_, "foreign");
  EXPECT_EQ(store.Read().error().problem, KeySourceProblem::kUnreadable);
  EXPECT_TRUE(store.Replace("ours"));
  EXPECT_EQ(ReadFile(path_), "foreign");
}

TEST_F(KeyStoreTest, NeverOverwritesWhatWasDisowned) {
  WriteFile(path_, "foreign");
  ASSERT_TRUE(store_.Read());
  store_.Disown();
  EXPECT_TRUE(store_.Replace("ours"));
  EXPECT_EQ(ReadFile(path_), "foreign");
}

TEST_F(KeyStoreTest, NeverOverwritesAFileThatChangedInBetween) {
  ASSERT_FALSE(store_.Replace("ours"));
  WriteFile(path_, "somebody else's");
  for (int attempt = 0; attempt < 3; ++attempt) {
    const auto error = store_.Replace("ours again");
    ASSERT_TRUE(error);
    EXPECT_EQ(error->problem, KeySourceProblem::kChangedByOthers);
  }
  EXPECT_EQ(ReadFile(path_), "somebody else's");
  // Out of the way, as the message asks.
  ASSERT_EQ(::unlink(path_.c_str()), 0);
  EXPECT_FALSE(store_.Replace("ours again"));
}

TEST_F(KeyStoreTest, TheSameOctetsInAnotherFileAreNoChange) {
  ASSERT_FALSE(store_.Replace("ours"));
  ASSERT_EQ(::unlink(path_.c_str()), 0);
  WriteFile(path_, "ours");
  EXPECT_FALSE(store_.Replace("ours again"));
}

TEST_F(KeyStoreTest, SeesEveryKindOfChange) {
  WriteFile(path_, "text");
  ASSERT_TRUE(followed_.Read());
  EXPECT_FALSE(followed_.LooksChanged());
  ASSERT_EQ(::unlink(path_.c_str()), 0);
  EXPECT_TRUE(followed_.LooksChanged());
  EXPECT_FALSE(followed_.Read());
  EXPECT_FALSE(followed_.LooksChanged());
  WriteFile(path_, "text");
  EXPECT_TRUE(followed_.LooksChanged());
}

TEST_F(KeyStoreTest, OnlyOneProcessKeepsAFile) {
  ASSERT_FALSE(store_.Lock());
  KeyStore second(path_, KeyFileOwnership::kOurs, files_);
  const auto error = second.Lock();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->problem, KeySourceProblem::kHeldByAnother);
  EXPECT_THAT(error->text, HasSubstr(path_));
}

TEST_F(KeyStoreTest, TheLockGoesWithTheStore) {
  { EXPECT_FALSE(KeyStore(path_, KeyFileOwnership::kOurs, files_).Lock()); }
  EXPECT_FALSE(store_.Lock());
}

TEST_F(KeyStoreTest, SaysWhatIsWrongWithTheDirectory) {
  KeyStore store(directory_.File("missing/keys"), KeyFileOwnership::kOurs, files_);
  EXPECT_EQ(store.Lock()->problem, KeySourceProblem::kCannotWrite);
  const auto error = store.Replace("text");
  ASSERT_TRUE(error);
  EXPECT_EQ(error->problem, KeySourceProblem::kCannotWrite);
  EXPECT_THAT(error->text, HasSubstr("No such file or directory"));
}

TEST_F(KeyStoreTest, OverwritesTheOctetsOfTheOldFile_R_CK_08) {
  ASSERT_FALSE(store_.Replace("expired keys"));
  const int old = ::open(path_.c_str(), O_RDONLY);
  ASSERT_FALSE(store_.Replace("new keys"));
  char octets[12];
  ASSERT_EQ(::read(old, octets, sizeof(octets)), 12);
  EXPECT_EQ(std::string_view(octets, 12), std::string(12, '\0'));
  ::close(old);
}

TEST_F(KeyStoreTest, LeavesACopyUnderAnotherNameAlone) {
  ASSERT_FALSE(store_.Replace("expired keys"));
  ASSERT_EQ(::link(path_.c_str(), directory_.File("backup").c_str()), 0);
  ASSERT_FALSE(store_.Replace("new keys"));
  EXPECT_EQ(ReadFile(directory_.File("backup")), "expired keys");
}

// --- A disk that fails ---

TEST(KeyStoreOnFailingDisk, LeavesTheOldOrTheNewFileWhicheverCallFails) {
  const std::string old_text(350, 'o');
  const std::string new_text(270, 'n');
  int failures = 0;
  for (int call = 1; call < 40; ++call) {
    FakeDisk disk;
    KeyStore store("/keys", KeyFileOwnership::kOurs, disk);
    ASSERT_FALSE(store.Replace(old_text));
    disk.FailCall(disk.changes() + call, ENOSPC);
    const auto error = store.Replace(new_text);
    const std::string found = disk.Octets("/keys");
    if (error) {
      ++failures;
      const bool is_new = error->problem == KeySourceProblem::kNotSynced;
      EXPECT_TRUE(is_new || error->problem == KeySourceProblem::kCannotWrite);
      EXPECT_THAT(error->text, HasSubstr("No space left on device"));
      EXPECT_EQ(found, is_new ? new_text : old_text) << "what the problem says";
    } else {
      EXPECT_EQ(found, new_text);
    }
    EXPECT_FALSE(disk.Exists("/keys.new"));
    EXPECT_EQ(disk.open_descriptors(), 0U);
    // Once the disk is well again it works.
    disk.FailCall(-1, 0);
    EXPECT_FALSE(store.Replace(new_text));
    EXPECT_EQ(disk.Octets("/keys"), new_text);
  }
  // create, chmod, 3 writes, sync, rename, sync of the directory; wiping the old file may fail unseen.
  EXPECT_EQ(failures, 8);
}

TEST(KeyStoreOnFailingDisk, APowerFailureAtAnyMomentLeavesTheOldOrTheNewFile_R_CK_10) {
  const std::string old_text(350, 'o');
  const std::string new_text(270, 'n');
  int old_count = 0;
  int new_count = 0;
  for (int changes = 0; changes < 20; ++changes) {
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
      FakeDisk disk;
      FakeRandom random(seed);
      bool stored = false;
      {
        KeyStore store("/keys", KeyFileOwnership::kOurs, disk);
        ASSERT_FALSE(store.Replace(old_text));
        disk.FailPowerAfter(changes);
        try {
          ASSERT_FALSE(store.Replace(new_text));
          stored = true;
        } catch (const FakeDisk::PowerFailure&) {
        }
      }
      disk.Restart(random);
      KeyStore store("/keys", KeyFileOwnership::kOurs, disk);
      const auto found = store.Read();
      ASSERT_TRUE(found) << "after " << changes << " seed " << seed;
      const bool is_new = std::string_view(found->text) == new_text;
      ASSERT_TRUE(is_new || std::string_view(found->text) == old_text) << "after " << changes << " seed " << seed;
      if (stored) {
        ASSERT_TRUE(is_new) << "stored, and lost: after " << changes << " seed " << seed;
      }
      ++(is_new ? new_count : old_count);
      // Whatever was left beside is no hindrance.
      ASSERT_FALSE(store.Replace("third"));
    }
  }
  EXPECT_GT(old_count, 100);
  EXPECT_GT(new_count, 100);
}

}  // namespace
}  // namespace ntsd
