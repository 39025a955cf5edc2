#include "server/sandbox/sandbox.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "server/sandbox/call_filter.h"

namespace ntsd {

void Sandbox::EnterDirectories(std::span<const DirectoryGrant> grants) {
  std::vector<DirectoryGrant> all(grants.begin(), grants.end());
  if (!IsCallFilterBuilt()) {
    // A sanitizer's report reads where code lies, and runs a program that knows the names of functions.
    std::error_code error;
    all.push_back({std::filesystem::read_symlink("/proc/self/exe", error).parent_path().string(), Reach::kRead});
    all.push_back({"/proc", Reach::kRead});
    all.push_back({"/usr", Reach::kRun});
  }
  auto granted = GrantedDirectories::Restrict(all);
  if (!granted) {
    missing_.push_back("Landlock (" + granted.error() + ")");
    return;
  }
  in_force_.push_back("Landlock " + std::to_string(LandlockAbi()) + " on " + std::to_string(granted->size()) +
                      " directories");
  directories_ = *std::move(granted);
}

void Sandbox::FilterCalls() {
  const auto count = InstallCallFilter();
  if (count) {
    in_force_.push_back("seccomp with " + std::to_string(*count) + " calls");
  } else {
    missing_.push_back("seccomp (" + count.error() + ")");
  }
}

bool Sandbox::KeepsFromUs(const std::string& path) const { return directories_ && directories_->Excludes(path); }

}  // namespace ntsd
