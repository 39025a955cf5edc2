#include "server/sandbox/file_places.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace ntsd {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
namespace fs = std::filesystem;

class PlacesOfFile : public ::testing::Test {
 protected:
  PlacesOfFile() {
    std::string pattern = fs::canonical(::testing::TempDir()).string() + "/places-XXXXXX";
    root_ = ::mkdtemp(pattern.data());
  }
  ~PlacesOfFile() override { fs::remove_all(root_); }

  std::string At(const std::string& name) const { return (root_ / name).string(); }
  void Make(const std::string& name) const {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name) << "x";
  }

  fs::path root_;
};

TEST_F(PlacesOfFile, IsTheDirectoryOfAPlainFile) {
  Make("tls/cert.pem");
  EXPECT_THAT(PlacesOf(At("tls/cert.pem")), ElementsAre(At("tls")));
}

TEST_F(PlacesOfFile, IsTheDirectoryOfAFileThatIsYetToCome) {
  EXPECT_THAT(PlacesOf(At("keys/ring")), ElementsAre(At("keys")));
}

TEST_F(PlacesOfFile, FollowsALinkToAnotherDirectory_certbot) {
  Make("archive/host/cert7.pem");
  fs::create_directories(root_ / "live/host");
  fs::create_symlink("../../archive/host/cert7.pem", root_ / "live/host/cert.pem");
  EXPECT_THAT(PlacesOf(At("live/host/cert.pem")), ElementsAre(At("live/host"), At("archive/host")));
}

TEST_F(PlacesOfFile, HoldsTheNextVersionOfADirectoryThatIsSwapped_Kubernetes) {
  Make("tls/..2026_11_21/tls.crt");
  fs::create_symlink("..2026_11_21", root_ / "tls/..data");
  fs::create_symlink("..data/tls.crt", root_ / "tls/tls.crt");
  EXPECT_THAT(PlacesOf(At("tls/tls.crt")), ElementsAre(At("tls"), At("tls/..data"), At("tls/..2026_11_21")));
}

TEST_F(PlacesOfFile, HoldsTheNeighboursOfADirectoryThatIsALink) {
  Make("certs/release-7/cert.pem");
  fs::create_symlink("release-7", root_ / "certs/current");
  EXPECT_THAT(PlacesOf(At("certs/current/cert.pem")),
              ElementsAre(At("certs/current"), At("certs"), At("certs/release-7")));
}

TEST_F(PlacesOfFile, EndsOnLinksInACircle) {
  fs::create_symlink("b", root_ / "a");
  fs::create_symlink("a", root_ / "b");
  EXPECT_THAT(PlacesOf(At("a")), ElementsAre(root_.string()));
}

TEST_F(PlacesOfFile, IsNeverTheRootDirectory) { EXPECT_THAT(PlacesOf("/cert.pem"), IsEmpty()); }

}  // namespace
}  // namespace ntsd
