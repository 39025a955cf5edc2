// A keeper of keys on a real folder, a fake clock and fake randomness; what it logs is kept.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "server/keys/file_key_source.h"
#include "server/keys/key_keeper.h"
#include "tests/support/fakes.h"
#include "tests/unit/core/keys/ring_builder.h"
#include "tests/unit/server/keys/temporary_directory.h"

namespace ntsd::testing {

inline std::string Text(const StoredRing& ring) { return std::string(std::string_view(WriteKeyFile(ring))); }

class KeyKeeperTest : public ::testing::Test {
 protected:
  Expected<std::unique_ptr<KeyKeeper>, KeyRequestError> TryKeep(const std::string& path) {
    auto source = OwnKeyFile::Open(path, files_);
    if (!source) return Unexpected(KeyRequestError{KeyRequestProblem::kNotLoaded, source.error().text});
    return KeyKeeper::Open(std::move(*source), policy_, clock_, random_, Sink());
  }
  std::unique_ptr<KeyKeeper> Keep() {
    auto keeper = TryKeep(path_);
    EXPECT_TRUE(keeper) << keeper.error().text;
    return keeper ? std::move(*keeper) : nullptr;
  }
  Expected<std::unique_ptr<KeyKeeper>, KeyRequestError> TryFollow() {
    return KeyKeeper::Open(std::make_unique<FollowedKeyFile>(path_, files_), policy_, clock_, random_, Sink());
  }
  std::unique_ptr<KeyKeeper> Follow() {
    auto keeper = TryFollow();
    EXPECT_TRUE(keeper) << keeper.error().text;
    return keeper ? std::move(*keeper) : nullptr;
  }
  KeyKeeper::LogSink Sink() {
    return [this](KeyKeeper::Severity severity, const std::string& line) {
      log_.push_back(line);
      if (severity != KeyKeeper::Severity::kInfo) complaints_.push_back(line);
    };
  }
  StoredRing OnDisk() {
    const auto parsed = ParseKeyFile(ReadFile(path_), At(0));
    EXPECT_TRUE(parsed) << DescribeKeyFileError(parsed.error());
    return parsed ? parsed->ring : StoredRing();
  }
  static std::vector<KeyId> IdsInForce(KeyKeeper& keeper) { return Ids(keeper.ring().Current()->entries()); }
  static KeyId Sealing(KeyKeeper& keeper) { return keeper.ring().Current()->current().id; }
  // What is in force is what is stored.
  void ExpectStored(KeyKeeper& keeper) { EXPECT_EQ(IdsInForce(keeper), Ids(OnDisk().keys)); }

  TemporaryDirectory directory_;
  SystemFileOperations files_;
  const std::string path_ = directory_.File("keys");
  FakeClock clock_;
  FakeRandom random_;
  KeyPolicy policy_{std::chrono::hours(24), 3, false};
  std::vector<std::string> log_;
  std::vector<std::string> complaints_;
};

}  // namespace ntsd::testing
